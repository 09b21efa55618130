package core

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// table is aligned columns. On a terminal the cells of one column are cut where a line would not fit.
type table struct {
	columns []string
	shrink  int // which column gives way
	rows    [][]cell
}

// cell is a text, with what colour a terminal shows it in.
type cell struct{ text, color string }

func (t *table) add(row ...cell) {
	for i := range row {
		row[i].text = plain(row[i].text)
	}
	t.rows = append(t.rows, row)
}

const gap = 2 // between columns

// write writes the table to out in its style.
func (t *table) write(out io.Writer, look style) error {
	head := make([]cell, len(t.columns))
	for i, name := range t.columns {
		head[i] = cell{name, faint}
	}
	rows := append([][]cell{head}, t.rows...)
	widths := t.widths(rows, look.width)
	var text bytes.Buffer
	for _, row := range rows {
		for i, c := range row {
			shown := cut(c.text, widths[i])
			text.WriteString(look.paint(c.color, shown))
			if rest := row[i+1:]; len(rest) > 0 {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(shown)+gap))
			}
		}
		text.WriteByte('\n')
	}
	_, err := out.Write(trimmed(text.Bytes()))
	return err
}

// widths are those of the columns; with a limit the one that gives way gets what the others leave, but not nothing.
func (t *table) widths(rows [][]cell, limit int) []int {
	widths := make([]int, len(t.columns))
	sum := -gap
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
		sum += widths[i] + gap
	}
	if limit > 0 && sum > limit-1 {
		widths[t.shrink] = max(12, widths[t.shrink]-(sum-limit+1))
	}
	return widths
}

// cut is a text in so many columns; what is left out is in the middle, as both ends of a URL tell more.
func cut(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	front := (width - 1) / 2
	return string(runes[:front]) + "…" + string(runes[len(runes)-(width-1-front):])
}

// trimmed is lines without blanks at their ends.
func trimmed(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i := range lines {
		lines[i] = bytes.TrimRight(lines[i], " ")
	}
	return bytes.Join(lines, []byte("\n"))
}

// withoutScheme is a URL as people say it.
func withoutScheme(url string) string { return strings.TrimPrefix(url, "https://") }
