package config

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// Add returns the text of a configuration file with a table more, for a server of which the text says nothing yet; ok is false
// where it does. The rest of the text stays as it is.
func Add(text []byte, url string, s Server) (out []byte, ok bool, err error) {
	c, err := Parse(credential.WithoutBOM(text))
	if err != nil {
		return nil, false, err
	}
	if _, known := c.Servers[url]; known {
		return text, false, nil
	}
	end := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		end = "\r\n"
	}
	lines := []string{"[servers." + strconv.Quote(url) + "]"}
	if s.ClientID != "" {
		lines = append(lines, "client_id = "+strconv.Quote(s.ClientID))
	}
	if s.RedirectURI != "" {
		lines = append(lines, "redirect_uri = "+strconv.Quote(s.RedirectURI))
	}
	if s.MetadataURL != "" {
		lines = append(lines, "metadata_url = "+strconv.Quote(s.MetadataURL))
	}
	if len(s.Scopes) > 0 {
		var scopes []string
		for _, one := range s.Scopes {
			scopes = append(scopes, strconv.Quote(one))
		}
		lines = append(lines, "scopes = ["+strings.Join(scopes, ", ")+"]")
	}
	if len(s.Headers) > 0 {
		var headers []string
		for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
			headers = append(headers, strconv.Quote(name)+" = "+strconv.Quote(s.Headers[name]))
		}
		lines = append(lines, "headers = { "+strings.Join(headers, ", ")+" }")
	}
	out = bytes.Clone(text)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, end...)
	}
	if len(out) > 0 {
		out = append(out, end...)
	}
	out = append(out, strings.Join(lines, end)+end...)
	_, err = Parse(credential.WithoutBOM(out))
	return out, true, err
}
