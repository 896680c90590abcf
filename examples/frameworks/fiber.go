package frameworks

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
)

// Fiber mounts the site in fiber.
func Fiber(s Site) *fiber.App {
	app := fiber.New(fiber.Config{BodyLimit: 8 << 20, Immutable: true})
	app.Use(func(c *fiber.Ctx) error {
		c.Locals(requestID{}, c.Get("X-Request-Id"))
		return c.Next()
	})
	app.Post("/ips/notify/:operation", adaptor.HTTPHandler(s.Notify))
	app.Post("/ips/return/:operation", adaptor.HTTPHandler(s.Return))
	app.Post("/pay", adaptor.HTTPHandler(s.Pay))
	return app
}
