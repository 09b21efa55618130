package entra

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
	fake "github.com/mcp-credential/mcp-credential/internal/fakeworld/entra"
)

// nearby sends what is meant for the metadata service to a fake of it, which no test can listen as.
type nearby struct{ to *url.URL }

func (d nearby) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.URL.Host == imdsHost {
		r.URL.Host = d.to.Host
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestManagedIdentityOfAVM(t *testing.T) {
	clearManaged(t)
	r := newMachineRig(t)
	delete(r.env, "AZURE_CLIENT_ID")
	r.id.Kind = Managed
	u, err := url.Parse(serve(t, r.world.IMDS()))
	if err != nil {
		t.Fatal(err)
	}
	r.Direct = &http.Client{Transport: nearby{u}}
	r.works(Managed)
	r.set("AZURE_CLIENT_ID=" + fake.Assigned)
	r.works(Managed)
	r.set("AZURE_CLIENT_ID=" + fake.Client)
	r.refused(credential.Misconfigured, "no token for the managed identity "+fake.Client)
	r.id.ClientID, r.id.Scopes = fake.Assigned, []string{"api://nobody"}
	r.refused(credential.Misconfigured, "and the scope")
}

// silence is a network in which a connection is never made.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestManagedIdentityWithoutAMachine(t *testing.T) {
	clearManaged(t)
	r := newMachineRig(t)
	r.id.Kind = Managed
	r.id.Scopes = []string{"api://not-cached"}
	r.Direct = &http.Client{Transport: silence{}}
	began := time.Now()
	r.refused(credential.Misconfigured, "this machine has no managed identity")
	if d := time.Since(began); d > credential.IMDSConnect+2*time.Second {
		t.Errorf("it took %v", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, _ := r.machine()
	if _, err := m.Token(ctx, credential.Target{}); credential.KindOf(err) != credential.Network || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestManagedIdentityOfAnAppService(t *testing.T) {
	clearManaged(t)
	r := newMachineRig(t)
	delete(r.env, "AZURE_TENANT_ID")
	r.set("AZURE_CLIENT_ID=" + fake.Assigned)
	endpoint := serve(t, r.world.AppService("s3cr3t"))
	t.Setenv("IDENTITY_ENDPOINT", endpoint) // MSAL reads the process's own
	t.Setenv("IDENTITY_HEADER", "s3cr3t")
	r.set("IDENTITY_ENDPOINT="+endpoint, "IDENTITY_HEADER=s3cr3t")
	r.id.Scopes, r.server = []string{fake.AppURI(2) + "/.default"}, 2 // MSAL's cache lives as long as the process: not the VM's app
	r.works(Managed)
	t.Setenv("IDENTITY_HEADER", "another")
	r.id.Scopes = []string{fake.AppURI(1) + "x"}
	r.refused(credential.Misconfigured, "status 401")
	r.set("IDENTITY_HEADER=")
	r.refused(credential.Misconfigured, "IDENTITY_HEADER")
}

// clearManaged takes the variables away that would tell MSAL of another machine than the test's.
func clearManaged(t *testing.T) {
	t.Helper()
	for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET", "IDENTITY_SERVER_THUMBPRINT"} {
		t.Setenv(name, "")
	}
}
