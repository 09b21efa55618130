package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
	"github.com/mcp-credential/mcp-credential/internal/fakeworld/mcpserver"
)

// serveEntra serves a tenant. Whoever is to reach it needs the proxy in HTTPS_PROXY and the certificate's file in
// SSL_CERT_FILE.
func serveEntra(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	o := entra.Options{MCP: mcpserver.Handler()}
	f := flag.NewFlagSet("fakeworld entra", flag.ContinueOnError)
	f.IntVar(&o.Servers, "servers", 0, "how many MCP servers (2)")
	f.DurationVar(&o.AccessTTL, "access-ttl", 0, "life of an access token (1h)")
	f.DurationVar(&o.RefreshIn, "refresh-in", 0, "refresh_in (left out)")
	f.DurationVar(&o.DeviceInterval, "device-interval", 0, "least time between two polls (1s)")
	certFile := f.String("cert", "", "the file to write the certificate to")
	knobs := f.String("knobs", "", "JSON of the knobs to begin with")
	if err := f.Parse(args); err != nil {
		return err
	}
	w, err := entra.Start(o)
	if err != nil {
		return err
	}
	defer w.Close()
	if *knobs != "" {
		if err := w.Control([]byte(`{"knobs":` + *knobs + `}`)); err != nil {
			return fmt.Errorf("-knobs: %w", err)
		}
	}
	if *certFile != "" {
		if err := os.WriteFile(*certFile, w.CertPEM(), 0o600); err != nil {
			return err
		}
	}
	return announce(ctx, map[string]any{"server": w.ServerURL(1), "servers": w.ServerURLs(), "issuer": entra.Issuer, "control": w.ControlURL(),
		"proxy": w.ProxyURL(), "cert": *certFile, "client": entra.Client}, stdin, stdout)
}
