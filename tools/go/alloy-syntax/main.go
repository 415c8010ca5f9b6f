// Reads Alloy's configuration with Alloy's own parser and prints its blocks as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
	"github.com/grafana/alloy/syntax/printer"
)

type block struct {
	Name      string            `json:"name"`
	Label     string            `json:"label"`
	Arguments map[string]string `json:"arguments"`
	Blocks    []block           `json:"blocks"`
}

func main() {
	if err := read(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(files []string) error {
	if len(files) != 1 {
		return fmt.Errorf("usage: alloy-syntax FILE")
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(files[0], text)
	if err != nil {
		return err
	}
	whole, err := blockOf("", "", file.Body)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(whole)
}

func blockOf(name string, label string, body ast.Body) (block, error) {
	found := block{Name: name, Label: label, Arguments: map[string]string{}, Blocks: []block{}}
	for _, statement := range body {
		switch each := statement.(type) {
		case *ast.AttributeStmt:
			var text strings.Builder
			if err := printer.Fprint(&text, each.Value); err != nil {
				return found, err
			}
			if _, twice := found.Arguments[each.Name.Name]; twice {
				return found, fmt.Errorf("%s sets %s twice", name, each.Name.Name)
			}
			found.Arguments[each.Name.Name] = text.String()
		case *ast.BlockStmt:
			inner, err := blockOf(strings.Join(each.Name, "."), each.Label, each.Body)
			if err != nil {
				return found, err
			}
			found.Blocks = append(found.Blocks, inner)
		}
	}
	return found, nil
}
