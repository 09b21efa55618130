package streamable

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// event is one server-sent event (HTML standard, "Server-sent events").
type event struct {
	name string
	data []byte
}

// eventReader reads a text/event-stream. Between two events the fields say where the stream stands.
type eventReader struct {
	in     *bufio.Reader
	limit  jsonrpc.Limit // of the data of one event
	lastID string        // id of the last complete event, for Last-Event-ID
	retry  time.Duration // what the server asked for before a reconnection; 0: nothing
	begun  bool          // the stream has
	skip   bool          // an event that is too large is read to its end; else the stream is not to be read on
}

func newEventReader(r io.Reader, limit jsonrpc.Limit) *eventReader {
	return &eventReader{in: bufio.NewReader(r), limit: limit}
}

// continueWith goes on with another connection to the same stream.
func (e *eventReader) continueWith(r io.Reader) {
	e.in = bufio.NewReader(r)
	e.begun = false
}

// next returns the next event with data. At the end of the stream, which drops an unfinished event, the error is that
// of the reader: io.EOF where the server has closed it in order.
func (e *eventReader) next() (event, error) {
	var ev event
	id := e.lastID
	data := jsonrpc.Buffer{Limit: e.limit}
	large := false
	for {
		name, err := e.line(&data, &ev, &id)
		if errors.Is(err, jsonrpc.ErrTooLong) && e.skip {
			large = true
			data = jsonrpc.Buffer{Limit: e.limit}
			continue
		}
		if err != nil {
			return event{}, err
		}
		if name != "" {
			continue
		}
		e.lastID = id
		if large {
			return event{}, jsonrpc.ErrTooLong
		}
		if data.Len() > 0 {
			ev.data = bytes.TrimSuffix(data.Take(), []byte("\n"))
			return ev, nil
		}
		ev = event{}
	}
}

// line reads one line into what it belongs to. It returns "" for the empty line that ends an event.
func (e *eventReader) line(data *jsonrpc.Buffer, ev *event, id *string) (string, error) {
	start, more, err := e.part()
	if err != nil {
		return "", err
	}
	if !e.begun {
		e.begun = true
		start = bytes.TrimPrefix(start, []byte("\ufeff"))
	}
	if len(start) == 0 && !more {
		return "", nil
	}
	name, value, _ := bytes.Cut(start, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		_, err = data.Write(value)
		for more && err == nil {
			if value, more, err = e.part(); err == nil {
				_, err = data.Write(value)
			}
		}
		if err == nil {
			_, err = data.Write([]byte("\n"))
		}
		for more && e.skip && errors.Is(err, jsonrpc.ErrTooLong) {
			var broken error
			if _, more, broken = e.part(); broken != nil {
				return "", broken
			}
		}
		return "data", err
	case "id":
		if bytes.IndexByte(value, 0) < 0 && !more {
			*id = string(value)
		}
	case "event":
		ev.name = string(value)
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			e.retry = time.Duration(ms) * time.Millisecond
		}
	}
	for more && err == nil { // a comment or a field that is not ours, at any length
		_, more, err = e.part()
	}
	return "other", err
}

// part returns as much of the current line as the buffer holds, without its end, and whether more follows. Lines end
// with LF or CR LF; a lone CR, which the standard also allows, is in no MCP server's use.
func (e *eventReader) part() ([]byte, bool, error) {
	b, err := e.in.ReadSlice('\n')
	switch {
	case err == nil:
		return bytes.TrimSuffix(b[:len(b)-1], []byte("\r")), false, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return b, true, nil
	}
	return nil, false, err
}
