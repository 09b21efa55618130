package entra

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/webclient"
	"github.com/mcp-credential/mcp-credential/source/workload"
)

// managed asks the machine that this process runs on: its App Service, Azure Arc, or the metadata service of a VM
// (IMDS). MSAL knows which from the environment.
func (m *Machine) managed(ctx context.Context, t credential.Target) (credential.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, credential.HTTPToken)
	defer cancel()
	id := managedidentity.SystemAssigned()
	if m.ClientID != "" {
		id = managedidentity.UserAssignedClientID(m.ClientID)
	}
	if m.source.Direct == nil {
		return credential.Token{}, credential.Fail(credential.Internal, "there is no client for managed identities", nil)
	}
	service := &localService{Machine: m}
	app, err := managedidentity.New(id, managedidentity.WithHTTPClient(service), managedidentity.WithRetryPolicyDisabled())
	if err != nil { // without a request: a hosting service that does not fit the identity
		return credential.Token{}, credential.Fail(credential.Misconfigured, "this machine's managed identity cannot be used", err)
	}
	asked := m.source.Now()
	got, err := app.AcquireToken(ctx, m.Scopes[0], managedidentity.WithClaims(t.Claims))
	switch {
	case service.failure != nil:
		return credential.Token{}, service.failure
	case err != nil:
		return credential.Token{}, credential.Fail(credential.Refused, "the managed identity endpoint gave an answer that cannot be used", nil)
	case !credential.CheckBearer(got.AccessToken) || !got.ExpiresOn.After(asked):
		return credential.Token{}, credential.Fail(credential.Refused, "the managed identity endpoint gave no valid token", nil)
	case bound(got.AccessToken):
		return credential.Token{}, misconfigured("the managed identity endpoint gave a token that is bound to a key, which cannot be used as a Bearer token")
	}
	return credential.Token{
		Access: credential.NewSecret(got.AccessToken), Type: "Bearer", Obtained: asked, Expiry: got.ExpiresOn, Scopes: m.Scopes,
		RefreshAt: credential.RefreshWindow(asked, got.ExpiresOn, m.source.Jitter()), Resource: t.Resource,
	}, nil
}

// imdsHost is the link-local address of the metadata service.
const imdsHost = "169.254.169.254"

// localService is the HTTP client under MSAL for endpoints on this machine or its network. It goes round every proxy, which
// would be somebody else's machine; it gives up soon where the metadata service is not; it remembers why there is no token, because
// MSAL's errors hold the answer.
type localService struct {
	*Machine
	failure error
}

// CloseIdleConnections is part of MSAL's interface; the connections belong to the process.
func (n *localService) CloseIdleConnections() {}

// Do sends one request.
func (n *localService) Do(r *http.Request) (*http.Response, error) {
	n.source.Trace("asking the managed identity endpoint " + credential.Printable(r.URL.Host, 100))
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if r.URL.Hostname() == imdsHost {
		timer := time.AfterFunc(credential.IMDSConnect, func() { cancel(errNoService) })
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { timer.Stop() }})
	}
	resp, err := n.source.Direct.Do(r.WithContext(ctx))
	if err == nil {
		var body []byte
		if body, err = webclient.ReadBody(resp, maxReply); err == nil {
			resp.Body = io.NopCloser(bytes.NewReader(body))
		}
	}
	switch {
	case err != nil && r.URL.Hostname() == imdsHost && r.Context().Err() == nil:
		n.failure = misconfigured("no metadata service answers at " + imdsHost + ": this machine has no managed identity")
	case err != nil:
		n.failure = webclient.Failure(err, "managed identity endpoint")
	case resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") != "": // Azure Arc shows where its key is
	case resp.StatusCode/100 != 2:
		n.failure = n.unwilling(resp)
	}
	return resp, err
}

var errNoService = errors.New("nobody answers")

// unwilling says what the status of a managed identity endpoint means (Microsoft's "How to use managed identities for
// Azure resources on an Azure VM", error handling).
func (n *localService) unwilling(resp *http.Response) error {
	who := "a system-assigned managed identity"
	if n.ClientID != "" {
		who = "the managed identity " + credential.Printable(n.ClientID, 60)
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusUnauthorized:
		return misconfigured("this machine gives no token for " + who + " (status " + strconv.Itoa(resp.StatusCode) +
			"); check that it is assigned, AZURE_CLIENT_ID or client_id, and the scope")
	case http.StatusNotFound, http.StatusGone: // the service is being updated
		return credential.Fail(credential.Network, "the managed identity endpoint is not ready (status "+strconv.Itoa(resp.StatusCode)+")", nil)
	}
	return workload.Refused(n.source.Now(), "managed identity endpoint", resp)
}
