package frameworks

import "github.com/labstack/echo/v4"

// Echo mounts the site in echo.
func Echo(s Site) *echo.Echo {
	e := echo.New()
	e.Use(echo.WrapMiddleware(WithRequestID)) // c.Set would not reach Hear
	e.POST("/ips/notify/:operation", echo.WrapHandler(s.Notify))
	e.POST("/ips/return/:operation", echo.WrapHandler(s.Return))
	e.POST("/pay", echo.WrapHandler(s.Pay))
	return e
}
