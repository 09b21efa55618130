package loopback

import (
	"bytes"
	"html/template"
	"io"
	"log"
	"net/http"
	"sync"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxText is how much of an error a page shows, in runes.
const maxText = 400

// page is what the browser shows: a title, a sentence, and perhaps rows and one button.
type page struct {
	Title  string
	Text   string
	Rows   []row
	Button string
	Nonce  string
}

type row struct {
	Name   string
	Values []string
}

var (
	worked  = page{Title: "Signed in", Text: "The sign-in worked. You can close this window."}
	allowed = page{Title: "Allowed", Text: "The machine gets tokens for this server. You can close this window."}
	notHere = page{Title: "Nothing here", Text: "This address belongs to another sign-in, or to one that is over."}
	unknown = page{Title: "Not finished", Text: "The sign-in is still under way. See the program that asked for it."}
)

// failedTitle says before the reason that nothing was given away.
const failedTitle = "The sign-in failed"

// layout is parsed when the first page is shown.
var layout = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageText)) })

const pageText = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}} - mcp-credential</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:12vh auto;padding:0 1rem;color-scheme:light dark}
dt{font-weight:600;margin-top:.8rem}dd{margin:0;overflow-wrap:anywhere}button{font:inherit;margin-top:1.6rem;padding:.5rem 1.4rem}
</style>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{with .Rows}}<dl>{{range .}}<dt>{{.Name}}</dt>{{range .Values}}<dd>{{.}}</dd>{{end}}{{end}}</dl>
{{end}}{{with .Button}}<form method="post"><input type="hidden" name="nonce" value="{{$.Nonce}}"><button>{{.}}</button></form>
{{end}}</html>
`

func writeOutcome(w http.ResponseWriter, err error) {
	if err == nil {
		writePage(w, http.StatusOK, worked)
		return
	}
	writePage(w, http.StatusOK, page{Title: failedTitle, Text: credential.Printable(err.Error(), maxText) + "."})
}

func writePage(w http.ResponseWriter, status int, p page) {
	var body bytes.Buffer
	if err := layout().Execute(&body, p); err != nil {
		http.Error(w, p.Title, http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set(ours, "1")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the browser may be gone
}

// silent swallows what net/http says about broken connections: the terminal is the person's.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }
