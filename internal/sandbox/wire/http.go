package wire

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const maxFormParts = 100

// ReadForm reads the body's fields, never the query's, sorted by name. Its
// status is 200 or says what is wrong.
func ReadForm(r *http.Request) ([]Pair, int) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, http.StatusUnsupportedMediaType
	}
	values := url.Values{}
	switch media {
	case "application/x-www-form-urlencoded":
		var body []byte
		if body, err = io.ReadAll(r.Body); err == nil {
			values, err = url.ParseQuery(string(body))
		}
	case "multipart/form-data":
		values, err = readMultipart(multipart.NewReader(r.Body, params["boundary"]))
	default:
		return nil, http.StatusUnsupportedMediaType
	}
	if err != nil {
		return nil, BodyStatus(err)
	}
	var pairs []Pair
	for name, list := range values {
		for _, v := range list {
			pairs = append(pairs, Pair{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(pairs, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	return pairs, http.StatusOK
}

var errTooManyParts = errors.New("too many parts")

// readMultipart reads fields into memory; the request's body is bounded.
// Uploaded files are passed over.
func readMultipart(r *multipart.Reader) (url.Values, error) {
	values := url.Values{}
	for range maxFormParts {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		if part.FormName() == "" || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		values.Add(part.FormName(), string(value))
	}
	return nil, errTooManyParts
}

// BodyStatus is the status for a body that cannot be read.
func BodyStatus(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// SOAPHeaders reads the version, the action and the character set of a call
// from its headers. SOAP 1.1 has the action in a header of its own, quoted or
// not; SOAP 1.2 has it in the media type.
func SOAPHeaders(h http.Header) (v Version, action, charset string, ok bool) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return 0, "", "", false
	}
	switch media {
	case "text/xml":
		return SOAP11, strings.Trim(strings.TrimSpace(h.Get("SOAPAction")), `"`), params["charset"], true
	case "application/soap+xml":
		return SOAP12, params["action"], params["charset"], true
	}
	return 0, "", "", false
}

// SendFault answers with HTTP 500 in either version, as .NET does.
func SendFault(w http.ResponseWriter, v Version, err error) {
	var fault *Fault
	if !errors.As(err, &fault) {
		fault = &Fault{Code: FaultServer, Reason: "Server was unable to process request."}
	}
	Send(w, http.StatusInternalServerError, v.ContentType(), WriteFault(v, fault))
}

// Send sends a whole answer, with its length: old clients read what is
// announced and no more.
func Send(w http.ResponseWriter, status int, media string, body []byte) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// Base is the address under which a request found the server.
func Base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
