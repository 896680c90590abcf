package frameworks

import (
	"net/http"
	"time"

	"github.com/zeromicro/go-zero/rest"
)

// GoZero mounts the site in go-zero.
func GoZero(conf rest.RestConf, s Site) (*rest.Server, error) {
	server, err := rest.NewServer(conf)
	if err != nil {
		return nil, err
	}
	server.Use(rest.ToMiddleware(WithRequestID))
	server.AddRoutes([]rest.Route{
		{Method: http.MethodPost, Path: "/ips/notify/:operation", Handler: s.Notify.ServeHTTP},
		{Method: http.MethodPost, Path: "/ips/return/:operation", Handler: s.Return.ServeHTTP},
	},
		rest.WithMaxBytes(8<<20),         // else 1 MiB: a batch of 3000 rows gets 413 for ever
		rest.WithTimeout(35*time.Second)) // else 3 s: longer than Inbound.Timeout
	server.AddRoute(rest.Route{Method: http.MethodPost, Path: "/pay", Handler: s.Pay.ServeHTTP})
	return server, nil
}
