package discovery

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
)

// maxDocument bounds one metadata document in bytes.
const maxDocument = 1 << 20

// first fetches the places in order until read accepts a document. A place without one (4xx) is passed over. A document
// that read refuses, and a place that fails, are passed over too - catch-all routes answer everything, with HTML or
// with a neighbour's metadata - but then the first such error is the result where no other place has a good one, so
// that a broken document never counts as none. A server that cannot be reached, and one that sends too much or
// elsewhere, ends the search.
func (f Finder) first(ctx context.Context, places []string, read func(place string, data []byte) error) (found bool, err error) {
	var fault error
	for _, place := range places {
		data, status, err := f.fetch(ctx, place)
		if err != nil {
			return false, at(place, err)
		}
		f.trace("GET " + place + ": " + strconv.Itoa(status))
		switch {
		case status == http.StatusOK:
			err = read(place, data)
		case status >= 500:
			err = credential.Fail(credential.Network, "the server fails with "+strconv.Itoa(status), nil)
		case status < 400:
			err = credential.Fail(credential.Misconfigured, "the server answers "+strconv.Itoa(status)+" without a document", nil)
		default:
			continue
		}
		if err == nil {
			return true, nil
		}
		if fault == nil {
			fault = at(place, err)
		}
	}
	return false, fault
}

func (f Finder) fetch(ctx context.Context, place string) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPMetadata)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, 0, credential.Fail(credential.Hostile, "its URL cannot be requested", nil)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("MCP-Protocol-Version", "2025-11-25")
	resp, err := f.Client.Do(req)
	if err != nil {
		return nil, 0, webclient.Failure(err, "server")
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, resp.StatusCode, nil
	}
	data, err := webclient.ReadBody(resp, maxDocument)
	return data, resp.StatusCode, err
}

// decode reads a JSON object. The decoder's own words are left out: they may quote the document.
func decode(data []byte, into any) error {
	if json.Unmarshal(data, into) != nil {
		return credential.Fail(credential.BadAnswer, "it is not JSON, or a member has the wrong type", nil)
	}
	return nil
}

// at says which document an error is about.
func at(place string, err error) error {
	return credential.Fail(credential.KindOf(err), "the metadata at "+credential.Printable(place, 200), err)
}
