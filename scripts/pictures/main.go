// Command pictures draws the pictures of the README into a folder, from what the programs themselves print: a session from the
// demo's output, a bar chart from the benchmark's, and the life of a get. "make pictures" runs demo and benchmark first.
package main

import (
	"bufio"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: pictures DEMO-OUTPUT BENCH-OUTPUT FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(demo, bench, folder string) error {
	session, err := lines(demo)
	if err != nil {
		return err
	}
	table, err := lines(bench)
	if err != nil {
		return err
	}
	bars := readBars(table)
	if len(session) < 10 || len(bars) < 3 {
		return fmt.Errorf("%d lines of the demo and %d rows of the benchmark are too few", len(session), len(bars))
	}
	for name, picture := range map[string]string{"session.svg": drawSession(session), "bench.svg": drawBars(bars), "get.svg": drawGet()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(picture), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func lines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		out = append(out, scan.Text())
	}
	return out, nil
}

// canvas is an SVG that is drawn from top to bottom, in the colours of a light and of a dark page.
type canvas struct{ strings.Builder }

func newCanvas(width, height int, title string) *canvas {
	c := &canvas{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n", width, height, width, height, html.EscapeString(title))
	c.WriteString(`<style>
  .back { fill: #f6f8fa } .line { stroke: #57606a; fill: none } .box { fill: #ffffff; stroke: #57606a } .bar { fill: #1f6feb } .base { fill: #8c959f }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #24292f; white-space: pre }
  .title { font-weight: bold } .good { fill: #1a7f37 } .faint { fill: #57606a } .input { fill: #0550ae }
  @media (prefers-color-scheme: dark) {
    .back { fill: #161b22 } .line { stroke: #8b949e } .box { fill: #0d1117; stroke: #8b949e } text { fill: #e6edf3 }
    .good { fill: #3fb950 } .faint { fill: #8b949e } .input { fill: #79c0ff }
  }
</style>
`)
	fmt.Fprintf(c, `<rect class="back" width="%d" height="%d" rx="8"/>`+"\n", width, height)
	return c
}

func (c *canvas) text(x, y int, class, text string) {
	fmt.Fprintf(c, `<text x="%d" y="%d" class="%s" xml:space="preserve">%s</text>`+"\n", x, y, class, html.EscapeString(text))
}

func (c *canvas) rect(x, y, width, height int, class string) {
	fmt.Fprintf(c, `<rect x="%d" y="%d" width="%d" height="%d" rx="4" class="%s"/>`+"\n", x, y, width, height, class)
}

func (c *canvas) end() string {
	c.WriteString("</svg>\n")
	return c.String()
}

// What changes with each run and tells nothing: ports, and what tokens are.
var (
	port  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	token = regexp.MustCompile(`\bat_[A-Z2-7]+`)
)

// drawSession draws the first steps of the demo as a terminal shows them.
func drawSession(all []string) string {
	const most, columns = 44, 80
	if len(all) > most {
		all = all[:most]
	}
	c := newCanvas(columns*8+32, len(all)*18+28, "mcp-credential from sign-in to the first token")
	for i, line := range all {
		line = token.ReplaceAllString(port.ReplaceAllString(line, "127.0.0.1:8080"), "at_...")
		class := ""
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "$ "):
			class = "input"
		case strings.HasPrefix(strings.TrimSpace(line), "ok "):
			class = "good"
		case regexp.MustCompile(`^\d+\. `).MatchString(line):
			class = "title"
		}
		c.text(16, 30+i*18, class, line)
	}
	return c.end()
}

// bar is a row of the benchmark: what was measured, and against what.
type bar struct {
	name, against string
	ms, base      float64
}

var row = regexp.MustCompile(`^(\S.*?)\s{2,}([\d.]+)\s+(\S.*?)\s{2,}([\d.]+)\s+[\d.]+\s`)

func readBars(all []string) (out []bar) {
	for _, line := range all {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		b := bar{name: m[1], against: m[3]}
		b.ms, _ = strconv.ParseFloat(m[2], 64)
		b.base, _ = strconv.ParseFloat(m[4], 64)
		if b.against == "an empty Go program" {
			out = append(out, b)
		}
	}
	return out
}

func drawBars(bars []bar) string {
	const left, scale, step = 250, 90, 52
	c := newCanvas(720, len(bars)*step+70, "What a warm get costs, in milliseconds, against an empty Go program")
	c.text(16, 28, "title", "A whole process, from its start to its end, in ms")
	for i, b := range bars {
		y := 48 + i*step
		c.text(16, y+14, "", b.name)
		c.rect(left, y, int(b.ms*scale), 16, "bar")
		c.text(left+int(b.ms*scale)+8, y+13, "", fmt.Sprintf("%.2f", b.ms))
		c.rect(left, y+20, int(b.base*scale), 10, "base")
		c.text(left+int(b.base*scale)+8, y+30, "faint", fmt.Sprintf("%.2f  %s", b.base, b.against))
	}
	c.text(16, len(bars)*step+58, "faint", "make bench, medians; two processors")
	return c.end()
}

// drawGet draws what happens to a get.
func drawGet() string {
	c := newCanvas(760, 386, "The life of a get")
	box := func(x, y, width int, title string, more ...string) {
		c.rect(x, y, width, 30+len(more)*18, "box")
		c.text(x+12, y+20, "title", title)
		for i, line := range more {
			c.text(x+12, y+38+i*18, "faint", line)
		}
	}
	arrow := func(x1, y1, x2, y2 int, text string) {
		fmt.Fprintf(c, `<path class="line" d="M%d %d L%d %d"/><circle class="line" cx="%d" cy="%d" r="3"/>`+"\n", x1, y1, x2, y2, x2, y2)
		c.text((x1+x2)/2+8, (y1+y2)/2+4, "faint", text)
	}
	box(16, 16, 330, "host, script or git", "mcp-credential get https://...")
	arrow(180, 64, 180, 100, "")
	box(16, 100, 330, "front: mcp-credential", "two small files, one look at the hot key", "no network, nothing that waits")
	arrow(346, 130, 420, 130, "")
	box(420, 100, 324, "access token", "valid: printed, in 2 to 3 ms", "soon over: printed, then refreshed")
	arrow(180, 166, 180, 206, "not valid")
	box(16, 206, 330, "core: mcp-credential-core", "waits at most --wait for the refresh,", "which is a process of its own")
	arrow(346, 240, 420, 240, "")
	box(420, 206, 324, "one refresh, under a lock", "everybody else waits for its answer;", "it goes on when its caller is killed")
	arrow(580, 272, 580, 312, "")
	box(420, 312, 324, "keychain, then cache", "the new refresh token is durable", "before anything else happens")
	arrow(180, 272, 180, 312, "")
	box(16, 312, 330, "a person, at most once in 10 min", "only where the sign-in has ended:", "exit 3 with the command, or the browser")
	return c.end()
}
