package host

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// cargo is Cargo, whose registries are those that somebody names. CARGO_HOME moves its folder.
var cargo = Host{
	Name: "cargo", Title: "Cargo", Programs: []string{"cargo"}, Caller: true, Project: ".cargo/config.toml",
	Files: func(p Place) []string {
		if dir := p.Getenv("CARGO_HOME"); dir != "" {
			return []string{filepath.Join(dir, "config.toml")}
		}
		return under(".cargo/config.toml")(p)
	},
	Syntax: cargoTOML{},
}

// cargoTOML is Cargo's configuration: a table [registries.NAME] for each registry, with the provider of its tokens.
type cargoTOML struct{}

const (
	cargoRegistries = "registries"
	cargoIndex      = "index"
	cargoProvider   = "credential-provider"
)

// cargoRegistry is what a table says.
type cargoRegistry struct {
	Index    string `toml:"index"`
	Provider any    `toml:"credential-provider"`
}

// url is the server that a sparse index is; "" for any other.
func (r cargoRegistry) url() string {
	sparse, _ := strings.CutPrefix(r.Index, "sparse+")
	url, _ := remote(sparse)
	return url
}

func (cargoTOML) registries(text []byte) (map[string]cargoRegistry, error) {
	var file struct {
		Registries map[string]cargoRegistry `toml:"registries"`
	}
	return file.Registries, readTOML(text, &file)
}

// Servers is Syntax: those that have our provider.
func (c cargoTOML) Servers(text []byte) (out []Server, err error) {
	all, err := c.registries(text)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		words := texts(all[name].Provider)
		if line, ok := all[name].Provider.(string); ok {
			words = strings.Fields(line)
		}
		if len(words) > 0 && (isProgram(words[0]) || strings.Contains(filepath.Base(strings.ReplaceAll(words[0], `\`, "/")), "cargo-credential-mcp")) {
			out = append(out, Server{Name: name, URL: all[name].url(), Ours: true, Program: words[0]})
		}
	}
	return out, err
}

// Put is Syntax: the registry whose index the server is gets our provider; where there is none it is made.
func (c cargoTOML) Put(text []byte, s Server, e Entry) ([]byte, error) {
	mark := text[:len(text)-len(withoutBOM(text))]
	text = text[len(mark):]
	known, err := c.registries(text)
	if err != nil {
		return nil, err
	}
	all, err := expressions(text)
	if err != nil {
		return nil, err
	}
	name := s.Name
	for _, other := range slices.Sorted(maps.Keys(known)) {
		if known[other].url() == s.URL {
			name = other
		}
	}
	end := lineEnd(text)
	program := filepath.Join(filepath.Dir(e.Program), "cargo-credential-mcp"+filepath.Ext(e.Program))
	provider := [2]string{cargoProvider, cargoProvider + " = [" + tomlString(program) + `, "--bearer"]`}
	there, ok := known[name]
	switch {
	case !ok:
		index := [2]string{cargoIndex, cargoIndex + " = " + tomlString("sparse+"+s.URL)}
		return slices.Concat(mark, text, []byte(newTable(text, end, cargoRegistries+"."+tomlKey(name), [][2]string{index, provider}))), nil
	case there.url() != s.URL:
		return nil, fmt.Errorf("there is another registry called %s already; give another --name", name)
	}
	at := slices.IndexFunc(all, func(x expression) bool { return x.header && slices.Equal(x.key, []string{cargoRegistries, name}) })
	if at < 0 {
		return nil, fmt.Errorf("the registry %s is not a table [%s.%s] of its own; change it by hand", name, cargoRegistries, name)
	}
	index := -1
	for i := at + 1; i < len(all) && !all[i].header; i++ {
		switch all[i].key[0] {
		case cargoProvider:
			old := text[all[i].start:all[i].end]
			return slices.Concat(mark, text[:all[i].start], []byte(provider[1]+comment(old)), lineTail(old), text[all[i].end:]), nil
		case cargoIndex:
			index = i
		}
	}
	if index < 0 {
		return nil, errors.New("the index of its registry is not on a line of its own; change it by hand")
	}
	line := provider[1] + end
	if before := text[all[index].start:all[index].end]; len(lineTail(before)) == 0 {
		line = end + provider[1]
	}
	return slices.Concat(mark, text[:all[index].end], []byte(line), text[all[index].end:]), nil
}
