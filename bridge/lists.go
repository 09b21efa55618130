package bridge

import (
	"context"

	"github.com/mcp-credential/mcp-credential/bridge/jsonrpc"
)

// compare looks whether the lists that the host was told are still the server's, and tells it which are not.
func (b *bridge) compare(ctx context.Context) {
	b.comparing.Lock()
	defer b.comparing.Unlock()
	meta, _ := b.connection.host()
	for _, method := range b.standIn.Told() {
		if b.standIn.Lacks(method) {
			continue
		}
		if err := b.client.List(ctx, method, meta); err != nil {
			b.Log("the server's lists cannot be compared: " + method + ": " + err.Error())
		}
	}
	b.tellChanged()
}

// tellChanged tells the host which lists are not as it was told last: a stateless one on its subscriptions.
func (b *bridge) tellChanged() {
	meta, _ := b.connection.host()
	for _, method := range b.standIn.Changed() {
		b.Log("telling the host: " + method)
		if meta == nil {
			b.out.Send(jsonrpc.NewNotification(method, nil))
			continue
		}
		for _, id := range b.subscriptions.all() {
			b.out.Send(jsonrpc.NewNotification(method, subscribed(id, nil)))
		}
	}
}
