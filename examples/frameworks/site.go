// Package frameworks mounts the SDK's handlers in the web frameworks that Go
// programs use. docs/frameworks.md shows it; the tests run every one against a
// sandbox.
package frameworks

import (
	"context"
	"net/http"
)

// Site is what a merchant mounts: the two handlers of the SDK, and the page that
// sends his user to IPS.
type Site struct {
	Notify http.Handler // Client.NotifyHandler
	Return http.Handler // Client.ReturnHandler
	Pay    http.Handler // answers with a *ips.Form, which is a handler too
}

type requestID struct{}

// WithRequestID is a middleware of the merchant's own; what it puts into the
// context reaches Inbound.Hear.
func WithRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestID{}, r.Header.Get("X-Request-Id"))))
	})
}
