package frameworks

import (
	"context"

	"github.com/gin-gonic/gin"
)

// Gin mounts the site in gin.
func Gin(s Site) *gin.Engine {
	r := gin.New()
	r.Use(func(c *gin.Context) {
		ctx := context.WithValue(c.Request.Context(), requestID{}, c.GetHeader("X-Request-Id"))
		c.Request = c.Request.WithContext(ctx) // c.Set would not reach Hear
	})
	r.POST("/ips/notify/:operation", gin.WrapH(s.Notify))
	r.POST("/ips/return/:operation", gin.WrapH(s.Return))
	r.POST("/pay", gin.WrapH(s.Pay))
	return r
}
