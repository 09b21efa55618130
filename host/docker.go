package host

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcp-credential/mcp-credential/credential"
)

// docker is Docker, whose registries are those that somebody names. DOCKER_CONFIG moves its folder.
var docker = Host{
	Name: "docker", Title: "Docker", Programs: []string{"docker"}, Caller: true,
	Files: func(p Place) []string {
		if dir := p.Getenv("DOCKER_CONFIG"); dir != "" {
			return []string{filepath.Join(dir, "config.json")}
		}
		return under(".docker/config.json")(p)
	},
	Syntax: dockerConfig{},
}

// dockerConfig is Docker's config.json: a helper for each registry. Docker finds a helper on PATH by its name alone.
type dockerConfig struct{}

const (
	dockerHelpers = "credHelpers"
	dockerHelper  = "mcp"
)

// Servers is Syntax: those of ours, with the origin for a URL.
func (dockerConfig) Servers(text []byte) (out []Server, err error) {
	v, err := jsonc{}.parse(text)
	if err != nil {
		return nil, err
	}
	for _, g := range groups(v.Value.(*hujson.Object), []string{dockerHelpers}, nil) {
		for _, m := range g.object.Members {
			var helper string
			url, ok := remote(credential.WithScheme(nameOf(m)))
			if ok && plain(m.Value, &helper) && helper == dockerHelper {
				out = append(out, Server{Name: nameOf(m), URL: url, Ours: true, Program: "docker-credential-" + dockerHelper})
			}
		}
	}
	return out, nil
}

// Put is Syntax.
func (dockerConfig) Put(text []byte, s Server, _ Entry) ([]byte, error) {
	v, err := jsonc{}.parse(text)
	if err != nil {
		return nil, err
	}
	end, root := lineEnd(text), v.Value.(*hujson.Object)
	unit := unitOf(root)
	if len(root.Members) == 0 && len(bytes.TrimSpace(bytes.TrimPrefix(text, bom))) == 0 {
		v.AfterExtra = hujson.Extra(end)
	}
	helpers, depth, err := child(root, dockerHelpers, end, unit)
	if err != nil {
		return nil, err
	}
	_, registry, _ := strings.Cut(credential.Origin(s.URL), "://")
	i := slices.IndexFunc(helpers.Members, func(m hujson.ObjectMember) bool { return nameOf(m) == registry })
	switch {
	case i < 0:
		add(helpers, len(helpers.Members), registry, encode(dockerHelper), depth, depth+unit)
	case same(helpers.Members[i].Value, dockerHelper):
		return text, nil
	default:
		return nil, fmt.Errorf("the registry %s has another helper; take it out first", registry)
	}
	return slices.Concat(text[:len(text)-len(bytes.TrimPrefix(text, bom))], v.Pack()), nil
}
