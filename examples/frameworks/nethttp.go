package frameworks

import "net/http"

// NetHTTP mounts the site in net/http.
func NetHTTP(s Site) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /ips/notify/{operation}", s.Notify)
	mux.Handle("POST /ips/return/{operation}", s.Return)
	mux.Handle("POST /pay", s.Pay)
	return WithRequestID(mux)
}
