package frameworks

import khttp "github.com/go-kratos/kratos/v2/transport/http"

// Kratos mounts the site in kratos.
func Kratos(s Site, opts ...khttp.ServerOption) *khttp.Server {
	server := khttp.NewServer(append(opts, khttp.Filter(WithRequestID))...)
	server.HandlePrefix("/ips/notify/", s.Notify)
	server.HandlePrefix("/ips/return/", s.Return)
	server.Handle("/pay", s.Pay)
	return server
}
