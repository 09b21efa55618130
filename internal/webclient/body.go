package webclient

import (
	"io"
	"net/http"
	"strconv"

	"github.com/mcp-credential/mcp-credential/credential"
)

// ReadBody reads at most max bytes of the body, counted after decompression, and closes it. A larger body is an error
// of kind BadAnswer; one that breaks off is of kind Network.
func ReadBody(resp *http.Response, max int64) ([]byte, error) {
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, max+1))
	if int64(len(data)) > max {
		return nil, credential.Fail(credential.BadAnswer, "the answer of "+host(resp.Request.URL)+" is larger than "+strconv.FormatInt(max, 10)+" bytes", nil)
	}
	if err != nil {
		return nil, credential.Fail(credential.Network, "the answer of "+host(resp.Request.URL)+" broke off", said{cause(err), quiet(err)})
	}
	return data, nil
}
