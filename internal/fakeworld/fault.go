package fakeworld

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Fault is something that goes wrong with a request. The first one that fits is taken, and nothing else in the World
// happens to a request that it answers.
type Fault struct {
	On     string `json:"on,omitempty"`     // endpoint (see the On constants); empty: every one
	Method string `json:"method,omitempty"` // only a request with this method
	Grant  string `json:"grant,omitempty"`  // token endpoint: only this grant_type
	Says   string `json:"says,omitempty"`   // only a request with this text in its body
	Times  int    `json:"times,omitempty"`  // how many requests it fits; 0: all of them until it is removed

	Status int               `json:"status,omitempty"` // answer with this status, Body and Header
	Body   string            `json:"body,omitempty"`
	Pad    int               `json:"pad,omitempty"` // make the body this many bytes long, with spaces
	Header map[string]string `json:"header,omitempty"`
	Flood  Flood             `json:"flood,omitzero"`

	Delay Duration `json:"delay,omitempty"` // the request is processed, its answer held back
	Hang  bool     `json:"hang,omitempty"`  // accepted and never answered, nor processed
	Drop  string   `json:"drop,omitempty"`  // DropBefore or DropAfter
}

// The endpoints that a Fault can be on.
const (
	OnOAuthMetadata    = "oauth_metadata"
	OnOpenIDMetadata   = "openid_metadata"
	OnKeys             = "jwks"
	OnAuthorize        = "authorize"
	OnToken            = "token"
	OnRegister         = "register"
	OnDevice           = "device_authorization"
	OnRevoke           = "revoke"
	OnResourceMetadata = "resource_metadata"
	OnMCP              = "mcp"
)

// The two ways to drop a connection without an answer.
const (
	DropBefore = "before" // the request is read and not processed
	DropAfter  = "after"  // the request is processed and its answer lost
)

// Refuse is a Fault on the next times token requests: an OAuth error (RFC 6749 section 5.2) with a status.
func Refuse(times, status int, code string) Fault {
	return Fault{On: OnToken, Times: times, Status: status, Body: `{"error":"` + code + `"}`,
		Header: map[string]string{"Content-Type": "application/json"}}
}

// Redirect is a Fault that sends requests to an endpoint elsewhere.
func Redirect(on, to string) Fault {
	return Fault{On: on, Status: http.StatusFound, Header: map[string]string{"Location": to}}
}

// faulty counts the requests of endpoint on, and lets a Fault have them before h does.
func (w *World) faulty(on string, h http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
		if err != nil {
			http.Error(rw, "the body is too long", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		f, now := w.fault(on, r, body)
		rw.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		w.applyFault(f, rw, r, h)
	}
}

// fault books the request and takes the Fault that fits it; the zero Fault does nothing.
func (w *World) fault(on string, r *http.Request, body []byte) (Fault, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.HTTP[r.Method+" "+r.URL.Path]++
	form, _ := url.ParseQuery(string(body))
	at := slices.IndexFunc(w.knobs.Faults, func(f Fault) bool {
		return (f.On == "" || f.On == on) && (f.Method == "" || f.Method == r.Method) && (f.Grant == "" || f.Grant == form.Get("grant_type")) &&
			bytes.Contains(body, []byte(f.Says))
	})
	if at < 0 {
		return Fault{}, w.now()
	}
	f := w.knobs.Faults[at]
	switch f.Times {
	case 0:
	case 1:
		w.knobs.Faults = slices.Delete(w.knobs.Faults, at, at+1)
	default:
		w.knobs.Faults[at].Times--
	}
	return f, w.now()
}

func (w *World) applyFault(f Fault, rw http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-w.closed:
		}
		panic(http.ErrAbortHandler)
	case f.Drop == DropBefore:
		panic(http.ErrAbortHandler)
	case f.Status != 0 && f.Flood != Flood{}:
		w.flood(f, rw, r)
		return
	case f.Status != 0:
		h = f.answer
	}
	if f.Delay == 0 && f.Drop == "" {
		h(rw, r)
		return
	}
	held := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	h(held, r)
	if f.Drop == DropAfter || !w.pause(r.Context(), time.Duration(f.Delay)) {
		panic(http.ErrAbortHandler)
	}
	held.release(rw)
}

func (f Fault) answer(rw http.ResponseWriter, _ *http.Request) {
	for k, v := range f.Header {
		rw.Header().Set(k, v)
	}
	rw.WriteHeader(f.Status)
	body := f.Body
	if missing := f.Pad - len(body); missing > 0 {
		body += strings.Repeat(" ", missing)
	}
	_, _ = io.WriteString(rw, body)
}

// heldAnswer keeps an answer in memory.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header         { return a.header }
func (a *heldAnswer) WriteHeader(status int)      { a.status = status }
func (a *heldAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *heldAnswer) release(rw http.ResponseWriter) {
	for k, v := range a.header {
		rw.Header()[k] = v
	}
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body.Bytes())
}
