package fakeworld

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// command is the body of POST /_control. A behaviour is laid over the present one: a field that is not named stays, one
// that is null is cleared, a list is replaced, a map gains entries. "reset" begins with the zero Behaviour.
type command struct {
	Reset          bool            `json:"reset"`
	Behaviour      json.RawMessage `json:"knobs"`
	RevokeAll      bool            `json:"revoke_all"`
	ExpireAccess   bool            `json:"expire_access"`
	ApproveDevices bool            `json:"approve_devices"`
	ResetStats     bool            `json:"reset_stats"`
}

func (w *World) controlRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_control", w.serveControl)
	mux.HandleFunc("GET /_stats", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write(w.Stats().JSON())
	})
	mux.HandleFunc("GET /_secrets", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, strings.Join(w.Secrets(), "\n")+"\n")
	})
	return mux
}

func (w *World) serveControl(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
	if err == nil {
		err = w.Control(body)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
	}
}

// Control obeys the JSON body of a POST /_control. A field it does not know is an error, and then nothing changes.
func (w *World) Control(body []byte) error {
	var c command
	if err := StrictJSON(body, &c); err != nil {
		return err
	}
	if err := w.setBehaviour(c); err != nil {
		return err
	}
	for _, action := range []struct {
		wanted bool
		do     func()
	}{{c.RevokeAll, w.RevokeAll}, {c.ExpireAccess, w.ExpireAccess}, {c.ApproveDevices, w.ApproveDevices}, {c.ResetStats, w.ResetStats}} {
		if action.wanted {
			action.do()
		}
	}
	return nil
}

func (w *World) setBehaviour(c command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.knobs.clone()
	if c.Reset {
		k = Behaviour{}
	}
	if c.Behaviour != nil {
		var named struct{ Faults json.RawMessage }
		if json.Unmarshal(c.Behaviour, &named) == nil && named.Faults != nil {
			k.Faults = nil // encoding/json would leave old fields in reused elements (golang.org/issue/21092)
		}
		if err := StrictJSON(c.Behaviour, &k); err != nil {
			return err
		}
	}
	w.knobs = k
	return nil
}

// StrictJSON decodes data; a member that into does not have is an error.
func StrictJSON(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
