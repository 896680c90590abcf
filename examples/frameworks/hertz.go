package frameworks

import (
	"context"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/adaptor"
	"github.com/cloudwego/hertz/pkg/common/config"
)

// Hertz mounts the site in hertz.
func Hertz(s Site, opts ...config.Option) *server.Hertz {
	h := server.New(append(opts, server.WithMaxRequestBodySize(8<<20))...)
	h.Use(func(ctx context.Context, c *app.RequestContext) {
		c.Next(context.WithValue(ctx, requestID{}, string(c.GetHeader("X-Request-Id"))))
	})
	h.POST("/ips/notify/:operation", adaptor.HertzHandler(s.Notify))
	h.POST("/ips/return/:operation", adaptor.HertzHandler(s.Return))
	h.POST("/pay", adaptor.HertzHandler(s.Pay))
	return h
}
