package main

import (
	"context"
	"os"
	"time"

	"github.com/grafana/ckit/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/grafana/alloy/internal/runtime"
	"github.com/grafana/alloy/internal/runtime/logging"
	"github.com/grafana/alloy/internal/runtime/tracing"
	"github.com/grafana/alloy/internal/service"
	"github.com/grafana/alloy/internal/service/cluster"
	"github.com/grafana/alloy/internal/service/http"
	"github.com/grafana/alloy/internal/service/labelstore"
	"github.com/grafana/alloy/internal/service/livedebugging"
	"github.com/grafana/alloy/internal/service/otel"
	"github.com/grafana/alloy/internal/service/remotecfg"
)

const shutdownDeadline = 10 * time.Second

// assembled is the runtime with the service that answers for it.
type assembled struct {
	controller *runtime.Runtime
	http       *http.Service
}

// assemble makes the runtime as Alloy's own command does, with the services that the components need.
func assemble(address string, storage string) (*assembled, error) {
	logger, err := logging.NewDeferred(os.Stderr)
	if err != nil {
		return nil, err
	}
	tracer, err := tracing.New(tracing.DefaultOptions)
	if err != nil {
		return nil, err
	}
	registry, log, made := prometheus.DefaultRegisterer, logger.Slog(), &assembled{}
	// One that stands alone, which the components ask whether a target is theirs.
	members, err := cluster.New(cluster.Options{
		Log: log, Metrics: registry, Tracer: tracer, NodeName: "alone", AdvertiseAddress: address,
	})
	if err != nil {
		return nil, err
	}
	// The web server asks for it; without a block of its own in the configuration it fetches nothing.
	remote, err := remotecfg.New(remotecfg.Options{Logger: log, StoragePath: storage, Metrics: registry})
	if err != nil {
		return nil, err
	}
	made.http = http.New(http.Options{
		Logger: logger, Tracer: tracer, Gatherer: prometheus.DefaultGatherer,
		ReadyFunc:      func() bool { return made.controller.Ready() },
		ReloadFunc:     func() error { return nil },
		HTTPListenAddr: address, MemoryListenAddr: "alloy.internal:12345",
	})
	made.controller, err = runtime.New(runtime.Options{
		Logger: logger, Tracer: tracer, DataPath: storage, Reg: registry, MinStability: stability,
		Services: []service.Service{
			members, made.http, remote, labelstore.New(log, registry, true), livedebugging.New(), otel.New(log),
		},
		TaskShutdownDeadline: shutdownDeadline,
	})
	if err != nil {
		return nil, err
	}
	return made, members.ChangeState(context.Background(), peer.StateParticipant)
}
