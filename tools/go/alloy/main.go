// Alloy with the components of the platform's pipeline and no others: it validates a configuration, or runs it.
//
// Parser, validator, runtime, services and components are Alloy's own. Left out are the hundreds of other components,
// the user interface, remote configuration and reports; a configuration that names one of them is refused.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/grafana/alloy/internal/component"
	"github.com/grafana/alloy/internal/featuregate"
	"github.com/grafana/alloy/internal/runtime"
	"github.com/grafana/alloy/internal/service"
	"github.com/grafana/alloy/internal/service/cluster"
	"github.com/grafana/alloy/internal/service/http"
	"github.com/grafana/alloy/internal/service/labelstore"
	"github.com/grafana/alloy/internal/service/livedebugging"
	"github.com/grafana/alloy/internal/service/otel"
	"github.com/grafana/alloy/internal/service/remotecfg"
	"github.com/grafana/alloy/internal/validator"
	"github.com/grafana/alloy/syntax/diag"

	_ "github.com/grafana/alloy/internal/component/discovery/kubernetes"
	_ "github.com/grafana/alloy/internal/component/discovery/relabel"
	_ "github.com/grafana/alloy/internal/component/loki/process"
	_ "github.com/grafana/alloy/internal/component/loki/source/kubernetes"
	_ "github.com/grafana/alloy/internal/component/loki/write"
	_ "github.com/grafana/alloy/internal/component/otelcol/exporter/otlphttp"
	_ "github.com/grafana/alloy/internal/component/otelcol/exporter/prometheus"
	_ "github.com/grafana/alloy/internal/component/otelcol/processor/batch"
	_ "github.com/grafana/alloy/internal/component/otelcol/processor/k8sattributes"
	_ "github.com/grafana/alloy/internal/component/otelcol/processor/memorylimiter"
	_ "github.com/grafana/alloy/internal/component/otelcol/processor/transform"
	_ "github.com/grafana/alloy/internal/component/otelcol/receiver/otlp"
	_ "github.com/grafana/alloy/internal/component/prometheus/remotewrite"
)

const (
	stability = featuregate.StabilityGenerallyAvailable
	usage     = "usage: alloy validate FILE | alloy run FILE [--server.http.listen-addr ADDRESS] [--storage.path FOLDER] [--disable-reporting] | alloy --version"
)

// version is set by the linker.
var version string

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func command(arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "--version":
		fmt.Printf("alloy, version v%s\n", version)
		return nil
	case len(arguments) == 2 && arguments[0] == "validate":
		return validate(arguments[1])
	case len(arguments) >= 2 && arguments[0] == "run":
		return run(arguments[1], arguments[2:])
	}
	return errors.New(usage)
}

func validate(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sources := map[string][]byte{file: text}
	services := []service.Service{
		&cluster.Service{}, &http.Service{}, &labelstore.Service{}, &livedebugging.Service{}, &otel.Service{},
		&remotecfg.Service{},
	}
	definitions := make([]service.Definition, 0, len(services))
	for _, each := range services {
		definitions = append(definitions, each.Definition())
	}
	err = validator.Validate(validator.Options{
		Sources:            sources,
		ServiceDefinitions: definitions,
		ComponentRegistry:  component.NewDefaultRegistry(stability, false),
		MinStability:       stability,
	})
	if err != nil {
		validator.Report(os.Stderr, err, sources)
		return errors.New("validation failed")
	}
	return nil
}

func run(file string, arguments []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	address := flags.String("server.http.listen-addr", "127.0.0.1:12345", "where health and metrics are asked for")
	storage := flags.String("storage.path", "data-alloy/", "folder of what components keep")
	flags.Bool("disable-reporting", false, "nothing is reported in any case")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	made, err := assemble(*address, *storage)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		made.controller.Run(ctx)
	}()
	err = made.load(file)
	if err != nil {
		stop()
	}
	<-ended
	return err
}

// load reads a configuration for the first time; what is wrong with it is shown with its place.
func (made *assembled) load(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sources := map[string][]byte{file: text}
	parsed, err := runtime.ParseSources(sources)
	if err == nil {
		made.http.SetSources(parsed.SourceFiles())
		err = made.controller.LoadSource(parsed, nil, file)
	}
	var found diag.Diagnostics
	if errors.As(err, &found) {
		_ = diag.NewPrinter(diag.PrinterConfig{}).Fprint(os.Stderr, sources, found)
		return errors.New("could not perform the initial load successfully")
	}
	return err
}
