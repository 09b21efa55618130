package fakeworld

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Flood makes the answer of a Fault larger, longer or slower than any client can want it.
type Flood struct {
	Headers int      `json:"headers,omitempty"` // further lines of the header, of a kilobyte each
	Nested  int      `json:"nested,omitempty"`  // after the body: so many arrays, one in the other
	Repeat  string   `json:"repeat,omitempty"`  // after that: this text, until the client has gone
	Most    int      `json:"most,omitempty"`    // how many times at most; 0: no end
	Every   Duration `json:"every,omitempty"`   // the pause after each
	Gzip    bool     `json:"gzip,omitempty"`    // all of it compressed
}

// piece is about how many bytes of the repeated text are written at once where there is no pause.
const piece = 64 << 10

func (w *World) flood(f Fault, rw http.ResponseWriter, r *http.Request) {
	for k, v := range f.Header {
		rw.Header().Set(k, v)
	}
	for i := range f.Flood.Headers {
		rw.Header().Set("X-Flood-"+strconv.Itoa(i), strings.Repeat("x", 1<<10))
	}
	var body io.Writer = rw
	if f.Flood.Gzip {
		rw.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(rw)
		defer zip.Close()
		body = zip
	}
	rw.WriteHeader(f.Status)
	_, _ = io.WriteString(body, f.Body+strings.Repeat("[", f.Flood.Nested)+strings.Repeat("]", f.Flood.Nested))
	text, left := f.Flood.Repeat, f.Flood.Most
	if text == "" {
		return
	}
	at := 1
	if f.Flood.Every == 0 {
		at = piece/len(text) + 1
	}
	for n := 0; left == 0 || n < left; n += at {
		if _, err := io.WriteString(body, strings.Repeat(text, at)); err != nil {
			return
		}
		if f.Flood.Every > 0 {
			_ = http.NewResponseController(rw).Flush()
			if !w.pause(r.Context(), time.Duration(f.Flood.Every)) {
				return
			}
		}
	}
}
