// Reads files of Prometheus rules as Prometheus itself does, strictly, with their queries and templates, and prints the
// name of each alert or record. The argument "query" has it read one PromQL query a line instead. Ends with 1 on a fault.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "query" {
		checkQueries()
		return
	}
	content, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	groups, faults := rulefmt.Parse(content, false)
	if len(faults) > 0 {
		fail(faults...)
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			fmt.Println(rule.Alert + rule.Record)
		}
	}
}

func checkQueries() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		query, err := parser.ParseExpr(lines.Text())
		if err != nil {
			fail(fmt.Errorf("%w\n%s", err, lines.Text()))
		}
		fmt.Println(query.Type())
	}
}

func fail(faults ...error) {
	for _, fault := range faults {
		fmt.Fprintln(os.Stderr, fault)
	}
	os.Exit(1)
}
