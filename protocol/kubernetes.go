package protocol

import (
	"io"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// The versions of ExecCredential that client-go knows (k8s.io/client-go/pkg/apis/clientauthentication). The answer has the
// version of the request; without a request it has the first.
const (
	execV1      = "client.authentication.k8s.io/v1"
	execV1beta1 = "client.authentication.k8s.io/v1beta1"
)

// execInfo is what KUBERNETES_EXEC_INFO says that matters here.
type execInfo struct{ version, server string }

// readExecInfo reads an ExecCredential. spec.interactive is about stdin, which is not read; of spec.cluster, which is there with
// provideClusterInfo, only the server matters.
func readExecInfo(r io.Reader) (execInfo, error) {
	top, err := readObject(&limited{r, maxRequest})
	if err != nil {
		return execInfo{}, err
	}
	kind, err := object(top).text("kind")
	if err != nil || kind != "ExecCredential" {
		return execInfo{}, bad("KUBERNETES_EXEC_INFO is no ExecCredential")
	}
	var info execInfo
	if info.version, err = object(top).text("apiVersion"); err != nil {
		return execInfo{}, err
	}
	if info.version != execV1 && info.version != execV1beta1 {
		return execInfo{}, bad("KUBERNETES_EXEC_INFO wants a version that is neither v1 nor v1beta1 of client.authentication.k8s.io")
	}
	spec, err := object(top).object("spec")
	if err != nil {
		return execInfo{}, err
	}
	cluster, err := spec.object("cluster")
	if err != nil {
		return execInfo{}, err
	}
	info.server, err = cluster.text("server")
	return info, err
}

// decodeKubernetes reads the request of an exec plugin: the cluster's server is the one that the token is for.
func decodeKubernetes(r io.Reader) (Request, error) {
	info, err := readExecInfo(r)
	if err != nil {
		return Request{}, err
	}
	if info.server == "" {
		return Request{}, bad("KUBERNETES_EXEC_INFO names no cluster; set provideClusterInfo: true, or put the URL on the command line")
	}
	server, err := credential.ParseServerURL(info.server)
	return Request{Query: credential.Query{URL: server}, Version: info.version}, err
}

// kubernetesVersion reads the request of an exec plugin that names its server by itself, for the version of the answer.
func kubernetesVersion(r io.Reader) (Request, error) {
	info, err := readExecInfo(r)
	return Request{Version: info.version}, err
}

type execCredential struct {
	Kind       string     `json:"kind"`
	APIVersion string     `json:"apiVersion"`
	Status     execStatus `json:"status"`
}

type execStatus struct {
	Expiration string `json:"expirationTimestamp,omitempty"`
	Token      string `json:"token"`
}

// encodeKubernetes writes an ExecCredential. client-go keeps the token until expirationTimestamp, without one until the API
// server refuses it.
func encodeKubernetes(w io.Writer, r Request, t credential.Token) error {
	token, err := bearer(t)
	if err != nil {
		return err
	}
	answer := execCredential{Kind: "ExecCredential", APIVersion: r.Version, Status: execStatus{Token: token, Expiration: rfc3339(t.Expiry)}}
	if answer.APIVersion == "" {
		answer.APIVersion = execV1
	}
	return writeJSON(w, answer)
}

// rfc3339 is a time in UTC, rounded down to the second; "" for the zero time.
func rfc3339(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05Z")
}
