package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// Put is Syntax.
func (j jsonc) Put(text []byte, s Server, e Entry) ([]byte, error) {
	v, err := j.parse(text)
	if err != nil {
		return nil, err
	}
	end, root := lineEnd(text), v.Value.(*hujson.Object)
	path := j.at[0]
	if s.Group != "" {
		path = strings.Split(s.Group, "\n")
	}
	unit := unitOf(root)
	if len(root.Members) == 0 && len(root.AfterExtra) == 0 && len(bytes.TrimSpace(bytes.TrimPrefix(text, bom))) == 0 {
		v.AfterExtra = hujson.Extra(end)
	}
	at := root
	depth := end
	for _, name := range path {
		at, depth, err = child(at, name, depth, unit)
		if err != nil {
			return nil, err
		}
	}
	entry, depth, err := child(at, s.Name, depth, unit)
	if err != nil {
		return nil, err
	}
	j.fill(entry, j.fields(e, s), depth, unit)
	out := v.Pack()
	if bytes.HasPrefix(text, bom) {
		out = append(slices.Clone(bom), out...)
	}
	return out, nil
}

// unitOf is by how much a text is indented with each level.
func unitOf(root *hujson.Object) string {
	if len(root.Members) > 0 {
		if unit := margin(root.Members[0]); unit != "" {
			return unit
		}
	}
	return "  "
}

// margin is the space before a member on its line.
func margin(m hujson.ObjectMember) string {
	before := string(m.Name.BeforeExtra)
	i := strings.LastIndexByte(before, '\n')
	if i < 0 {
		return ""
	}
	return strings.TrimLeft(before[i+1:], "\r")
}

// child is the object with that name in o, whose own line begins with depth: a line end and the space before it. Where there is
// none it is made.
func child(o *hujson.Object, name, depth, unit string) (*hujson.Object, string, error) {
	inner := depth + unit
	for i := range o.Members {
		if nameOf(o.Members[i]) != name {
			continue
		}
		if m := margin(o.Members[i]); m != "" {
			inner = depth[:strings.LastIndexByte(depth, '\n')+1] + m
		}
		next, ok := o.Members[i].Value.Value.(*hujson.Object)
		if !ok {
			return nil, "", fmt.Errorf("%q in it is not an object", name)
		}
		return next, inner, nil
	}
	next := &hujson.Object{}
	add(o, len(o.Members), name, next, depth, inner)
	return next, inner, nil
}

// add puts a member into o at index i, on a line of its own where o is empty or has its members so.
func add(o *hujson.Object, i int, name string, value hujson.ValueTrimmed, depth, inner string) {
	before := hujson.Extra(inner)
	if len(o.Members) > 0 {
		like := o.Members[min(i, len(o.Members)-1)]
		before = hujson.Extra(" ")
		if bytes.Contains(like.Name.BeforeExtra, []byte("\n")) {
			before = hujson.Extra(inner[:strings.LastIndexByte(inner, '\n')+1] + margin(like))
		}
	} else if !bytes.Contains(o.AfterExtra, []byte("\n")) {
		o.AfterExtra = append(o.AfterExtra, depth...)
	}
	m := hujson.ObjectMember{Name: hujson.Value{BeforeExtra: before, Value: hujson.String(name)}, Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: value}}
	if last := len(o.Members) - 1; i == len(o.Members) && last >= 0 && o.Members[last].Value.AfterExtra != nil {
		m.Value.AfterExtra = hujson.Extra{} // the list goes on to end with a comma
		if len(o.Members[last].Value.AfterExtra) == 0 {
			o.Members[last].Value.AfterExtra = nil
		}
	}
	o.Members = slices.Insert(o.Members, i, m)
}

// fill makes an entry ours: what is for remote servers alone goes, ours takes its place, and the rest stays.
func (j jsonc) fill(o *hujson.Object, fields []field, depth, unit string) {
	inner := depth + unit
	if len(o.Members) > 0 {
		if m := margin(o.Members[0]); m != "" {
			inner = depth[:strings.LastIndexByte(depth, '\n')+1] + m
		} else if !bytes.Contains(o.Members[0].Name.BeforeExtra, []byte("\n")) {
			depth, inner = "", ""
		}
	}
	trailing := len(o.Members) > 0 && o.Members[len(o.Members)-1].Value.AfterExtra != nil
	at := -1
	kept := func(name string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.name == name })
	}
	drop(o, func(name string) bool {
		return !kept(name) && (slices.Contains(remoteOnly, name) || name == "command" || name == "args" || name == "type")
	})
	for _, f := range fields {
		if i := slices.IndexFunc(o.Members, func(m hujson.ObjectMember) bool { return nameOf(m) == f.name }); i >= 0 {
			if !same(o.Members[i].Value, f.value) {
				o.Members[i].Value.Value = encode(f.value)
			}
			at = i
			continue
		}
		add(o, at+1, f.name, encode(f.value), depth, inner)
		at++
	}
	for _, f := range j.defaults {
		if !slices.ContainsFunc(o.Members, func(m hujson.ObjectMember) bool { return nameOf(m) == f.name }) {
			add(o, len(o.Members), f.name, encode(f.value), depth, inner)
		}
	}
	if last := len(o.Members) - 1; last >= 0 {
		switch after := &o.Members[last].Value.AfterExtra; {
		case trailing && *after == nil:
			*after = hujson.Extra{}
		case !trailing && len(*after) == 0:
			*after = nil
		}
	}
}

// drop takes members out of an object. Their comments stay, before what follows.
func drop(o *hujson.Object, gone func(name string) bool) {
	var kept []hujson.ObjectMember
	var comments hujson.Extra
	for _, m := range o.Members {
		if gone(nameOf(m)) {
			if before := bytes.TrimRight(m.Name.BeforeExtra, " \t\r\n"); len(before) > 0 {
				comments = append(comments, before...)
			}
			continue
		}
		m.Name.BeforeExtra = append(comments, m.Name.BeforeExtra...)
		comments = nil
		kept = append(kept, m)
	}
	o.Members, o.AfterExtra = kept, append(comments, o.AfterExtra...)
}

// same reports whether a value is what it would become.
func same(v hujson.Value, want any) bool {
	var got any
	text, err := json.Marshal(want)
	if err != nil || !plain(v, &got) {
		return false
	}
	again, err := json.Marshal(got)
	return err == nil && bytes.Equal(text, again)
}

// encode writes a string or a list of strings, on one line.
func encode(v any) hujson.ValueTrimmed {
	list, ok := v.([]string)
	if !ok {
		return hujson.String(v.(string))
	}
	a := &hujson.Array{}
	for i, one := range list {
		e := hujson.Value{Value: hujson.String(one)}
		if i > 0 {
			e.BeforeExtra = hujson.Extra(" ")
		}
		a.Elements = append(a.Elements, e)
	}
	return a
}
