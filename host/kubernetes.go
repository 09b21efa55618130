package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// kubernetes is kubectl and whatever else reads its file, whose clusters are those that somebody names. KUBECONFIG moves the file; of
// several the first is meant.
var kubernetes = Host{
	Name: "kubernetes", Title: "Kubernetes", Programs: []string{"kubectl"}, Caller: true,
	Files: func(p Place) []string {
		if file := filepath.SplitList(p.Getenv("KUBECONFIG")); len(file) > 0 && file[0] != "" {
			return file[:1]
		}
		return under(".kube/config")(p)
	},
	Syntax: kubeconfig{},
}

// kubeconfig is the file of kubectl. It is changed by lines, as kubectl writes them: a list for clusters, contexts and users each. A
// form that cannot be read so is an error, and nothing is changed.
type kubeconfig struct{}

// kubeUser is the user whose token comes from us.
const kubeUser = "mcp-credential"

// kubeKey is a line with a key: where it is, in which item of its list at the top, and the keys that lead to it.
type kubeKey struct {
	line, item int
	path       string
	value      string
}

var kubeLine = lazily(`^( *)((?:- +)*)(?:([A-Za-z0-9_./-]+)|"([^"]+)"):(?:[ \t]+(.*))?$`)

// keys takes a text apart.
func (kubeconfig) keys(lines []string) (out []kubeKey, err error) {
	type level struct {
		indent int
		name   string
	}
	var above []level
	item := 0
	for i, line := range lines {
		if yamlBlank().MatchString(line) {
			continue
		}
		if strings.HasPrefix(strings.TrimLeft(line, " "), "\t") {
			return nil, fmt.Errorf("line %d is indented with a tab", i+1)
		}
		m := kubeLine().FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if indent := len(m[1]); m[2] != "" { // an item of the list above it, which may begin below the first letter of its name
			above = slices.DeleteFunc(above, func(l level) bool { return l.indent > indent || l.indent == indent && l.indent > 0 })
			if len(above) == 1 {
				item = i
			}
		}
		indent := len(m[1]) + len(m[2])
		above = slices.DeleteFunc(above, func(l level) bool { return l.indent >= indent })
		names := ""
		for _, l := range above {
			names += l.name + "."
		}
		above = append(above, level{indent, m[3] + m[4]})
		out = append(out, kubeKey{i, item, names + m[3] + m[4], yamlScalar(m[5])})
	}
	return out, nil
}

// value is the value at a path in an item, and its line; -1: there is none.
func kubeValue(keys []kubeKey, item int, path string) (string, int) {
	i := slices.IndexFunc(keys, func(k kubeKey) bool { return k.item == item && k.path == path })
	if i < 0 {
		return "", -1
	}
	return keys[i].value, keys[i].line
}

// kubeItems are the items with that value at a path.
func kubeItems(keys []kubeKey, path string, is func(value string) bool) (items []int) {
	for _, k := range keys {
		if k.path == path && is(k.value) {
			items = append(items, k.item)
		}
	}
	return items
}

// server is the URL of a cluster by its name.
func (kubeconfig) server(keys []kubeKey, cluster string) string {
	for _, item := range kubeItems(keys, "clusters.name", func(name string) bool { return name == cluster }) {
		server, _ := kubeValue(keys, item, "clusters.cluster.server")
		url, _ := remote(server)
		return url
	}
	return ""
}

// Servers is Syntax: the contexts whose user gets its token from us.
func (c kubeconfig) Servers(text []byte) (out []Server, err error) {
	lines := splitLines(text)
	keys, err := c.keys(lines)
	for _, user := range kubeItems(keys, "users.user.exec.command", isProgram) {
		name, _ := kubeValue(keys, user, "users.name")
		program, _ := kubeValue(keys, user, "users.user.exec.command")
		for _, context := range kubeItems(keys, "contexts.context.user", func(u string) bool { return u == name }) {
			cluster, _ := kubeValue(keys, context, "contexts.context.cluster")
			called, _ := kubeValue(keys, context, "contexts.name")
			out = append(out, Server{Name: called, URL: c.server(keys, cluster), Ours: true, Program: program, Home: kubeHome(lines[user:])})
		}
	}
	return out, err
}

// kubeHome is the directory that the arguments of a user name for us, where lines begin with that user.
func kubeHome(lines []string) string {
	for i, line := range lines[:len(lines)-1] {
		switch {
		case i > 0 && strings.HasPrefix(strings.TrimLeft(line, " "), "- name:"):
			return ""
		case strings.TrimSpace(line) == "- --home":
			return yamlScalar(strings.TrimPrefix(strings.TrimSpace(lines[i+1]), "- "))
		}
	}
	return ""
}

// Put is Syntax: the contexts of the cluster with that server get our user.
func (c kubeconfig) Put(text []byte, s Server, e Entry) ([]byte, error) {
	lines, end := splitLines(text), lineEnd(text)
	keys, err := c.keys(lines)
	if err != nil {
		return nil, err
	}
	contexts := kubeItems(keys, "contexts.context.cluster", func(cluster string) bool { return c.server(keys, cluster) == s.URL })
	if len(contexts) == 0 {
		return nil, fmt.Errorf("none of its contexts is for a cluster with the server %s, each on lines of its own", s.URL)
	}
	for _, context := range contexts {
		user, at := kubeValue(keys, context, "contexts.context.user")
		if at < 0 {
			return nil, errors.New("a context for that cluster has no user")
		}
		if user != kubeUser {
			before, _, _ := strings.Cut(lines[at], "user:")
			lines[at] = before + "user: " + kubeUser
		}
	}
	if lines, err = c.putUser(lines, keys, e); err != nil {
		return nil, err
	}
	return slices.Concat(text[:len(text)-len(withoutBOM(text))], []byte(strings.Join(lines, end))), nil
}

// putUser adds our user, or has the one that is there start the program of e.
func (c kubeconfig) putUser(lines []string, keys []kubeKey, e Entry) ([]string, error) {
	if users := kubeItems(keys, "users.name", func(name string) bool { return name == kubeUser }); len(users) > 0 {
		program, at := kubeValue(keys, users[0], "users.user.exec.command")
		switch {
		case at < 0:
			return nil, fmt.Errorf("its user %s is somebody else's; rename it", kubeUser)
		case program != e.Program:
			before, _, _ := strings.Cut(lines[at], "command:")
			lines[at] = before + "command: " + yamlString(e.Program)
		}
		return lines, nil
	}
	top := slices.IndexFunc(keys, func(k kubeKey) bool { return k.path == "users" })
	if top < 0 {
		if last := len(lines) - 1; lines[last] == "" {
			lines = lines[:last]
		}
		return append(append(lines, "users:"), append(kubeExec("", e), "")...), nil
	}
	at := keys[top].line
	switch keys[top].value {
	case "", "[]", "null":
		lines[at] = "users:"
	default:
		return nil, errors.New("its users are not written one to a line")
	}
	indent := ""
	if at+1 < len(lines) && strings.HasPrefix(strings.TrimLeft(lines[at+1], " "), "- ") {
		indent = lines[at+1][:strings.Index(lines[at+1], "-")]
	}
	return slices.Insert(lines, at+1, kubeExec(indent, e)...), nil
}

// kubeExec is the lines of our user.
func kubeExec(indent string, e Entry) []string {
	out := []string{"- name: " + kubeUser, "  user:", "    exec:", "      apiVersion: client.authentication.k8s.io/v1", "      args:"}
	for _, a := range append([]string{"get", "--input", "kubernetes"}, e.Flags...) {
		out = append(out, "      - "+yamlName(a))
	}
	out = append(out, "      command: "+yamlString(e.Program), "      interactiveMode: Never", "      provideClusterInfo: true")
	for i := range out {
		out[i] = indent + out[i]
	}
	return out
}
