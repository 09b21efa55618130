package streamable

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
	"github.com/mcp-credential/mcp-credential/bridge/token"
)

// This file sends what the host has not: requests of the bridge's own, and the host's once more.

// Ask sends a request of the bridge's own and returns its result; nil where the server has answered with an error. It asks
// no person: where one is needed, need is what for.
func (c *Client) Ask(ctx context.Context, method string, params map[string]json.RawMessage) (result []byte, need token.Need, err error) {
	id := c.idPrefix + strconv.FormatInt(c.requests.Add(1), 10)
	m, err := jsonrpc.Parse(jsonrpc.NewRequest(id, method, params))
	if err != nil {
		return nil, token.Need{}, err
	}
	call, err := c.repeat(ctx, &m, nil, true)
	return call.result, call.need, err
}

// maxPages bounds how many pages of a list are asked for.
const maxPages = 50

// List has the server send all of a list, for Learn. meta is what requests of a stateless revision say of themselves, else
// nil.
func (c *Client) List(ctx context.Context, method string, meta []byte) error {
	params := map[string]json.RawMessage{}
	if meta != nil {
		params["_meta"] = meta
	}
	for range maxPages {
		result, _, err := c.Ask(ctx, method, params)
		if err != nil {
			return err
		}
		next := jsonrpc.Get(result, "nextCursor")
		if next == nil || string(next) == "null" {
			return nil
		}
		params["cursor"] = next
	}
	return nil
}

// repeat sends a message on the bridge's own behalf, in a session where one is given, and returns the call with the
// server's answer. It takes at most Handshake.
func (c *Client) repeat(ctx context.Context, m *jsonrpc.Message, in *session, silent bool) (*Call, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Handshake)
	defer cancel()
	call := newCall(ctx, m)
	defer call.stop()
	call.own, call.silent, call.session = true, silent, in
	err := c.Send(call)
	if err == nil && len(call.Pending()) > 0 {
		err = errors.New("there was no answer")
	}
	return call, err
}
