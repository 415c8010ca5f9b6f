// Asks the code of Prometheus Operator and of Prometheus itself about what the program has generated.
//
//	monitoring-check configuration < objects.json   the configuration that the operator gives Prometheus
//	monitoring-check queries < queries.json         the series that each query asks for, as the parser sees it
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	operator "github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

type objects struct {
	server   *monitoringv1.Prometheus
	services map[string]*monitoringv1.ServiceMonitor
	pods     map[string]*monitoringv1.PodMonitor
	probes   map[string]*monitoringv1.Probe
	scrapes  map[string]*monitoringv1alpha1.ScrapeConfig
}

type answer struct {
	Error  string   `json:"error,omitempty"`
	Series []string `json:"series"`
}

func main() {
	work := map[string]func() error{"configuration": configuration, "queries": queries}
	run := errors.New("usage: monitoring-check configuration|queries")
	if len(os.Args) == 2 && work[os.Args[1]] != nil {
		run = work[os.Args[1]]()
	}
	if run != nil {
		fmt.Fprintln(os.Stderr, run)
		os.Exit(1)
	}
}

func (all *objects) add(item json.RawMessage) error {
	var head struct {
		Kind     string
		Metadata struct{ Name string }
	}
	if err := json.Unmarshal(item, &head); err != nil {
		return err
	}
	switch name := head.Metadata.Name; head.Kind {
	case "Prometheus":
		all.server = &monitoringv1.Prometheus{}
		return json.Unmarshal(item, all.server)
	case "ServiceMonitor":
		all.services[name] = &monitoringv1.ServiceMonitor{}
		return json.Unmarshal(item, all.services[name])
	case "PodMonitor":
		all.pods[name] = &monitoringv1.PodMonitor{}
		return json.Unmarshal(item, all.pods[name])
	case "Probe":
		all.probes[name] = &monitoringv1.Probe{}
		return json.Unmarshal(item, all.probes[name])
	case "ScrapeConfig":
		all.scrapes[name] = &monitoringv1alpha1.ScrapeConfig{}
		return json.Unmarshal(item, all.scrapes[name])
	}
	return nil
}

func configuration() error {
	var items []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&items); err != nil {
		return err
	}
	all := objects{
		services: map[string]*monitoringv1.ServiceMonitor{},
		pods:     map[string]*monitoringv1.PodMonitor{},
		probes:   map[string]*monitoringv1.Probe{},
		scrapes:  map[string]*monitoringv1alpha1.ScrapeConfig{},
	}
	for _, item := range items {
		if err := all.add(item); err != nil {
			return err
		}
	}
	if all.server == nil {
		return errors.New("there is no Prometheus among the objects")
	}
	generator, err := operator.NewConfigGenerator(nil, all.server, operator.WithEndpointSliceSupport())
	if err != nil {
		return err
	}
	text, err := generator.GenerateServerConfiguration(
		all.server, all.services, all.pods, all.probes, all.scrapes,
		assets.NewStoreBuilder(nil, nil), nil, nil, nil, nil,
	)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

func queries() error {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		return err
	}
	answers := make([]answer, len(texts))
	for index, text := range texts {
		answers[index] = ask(text)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func ask(text string) answer {
	expression, err := parser.ParseExpr(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	found := map[string]bool{}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			for _, matcher := range selector.LabelMatchers {
				if matcher.Name == labels.MetricName {
					found[matcher.Value] = true
				}
			}
		}
		return nil
	})
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return answer{Series: names}
}
