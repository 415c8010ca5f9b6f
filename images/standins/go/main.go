// Stand-in for archive-service: health, JSON logs, clean exit on SIGTERM. Not a product.
package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	storeTimeout = 2 * time.Second
	drainTimeout = 10 * time.Second
)

func log(level, message string) {
	line := map[string]string{
		"level": level, "message": message, "service": "archive-service", "time": time.Now().UTC().Format(time.RFC3339),
	}
	_ = json.NewEncoder(os.Stdout).Encode(line)
}

func storesAnswer() bool {
	if os.Getenv("CHECK_STORES") != "true" {
		return true
	}
	for _, name := range []string{"DATABASE_URL", "NATS_URL"} {
		address, err := url.Parse(os.Getenv(name))
		if err != nil {
			return false
		}
		connection, err := net.DialTimeout("tcp", address.Host, storeTimeout)
		if err != nil {
			return false
		}
		_ = connection.Close()
	}
	return true
}

func health(writer http.ResponseWriter, _ *http.Request) {
	writer.Header().Set("content-type", "application/json")
	status := "UP"
	if !storesAnswer() {
		status = "DOWN"
		writer.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(writer).Encode(map[string]string{"status": status})
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "9000"
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/health", health)
	server := &http.Server{Addr: os.Getenv("HOST") + ":" + port, Handler: routes, ReadHeaderTimeout: drainTimeout}

	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		log("info", "listening on "+port)
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log("error", err.Error())
			os.Exit(1)
		}
	}()
	<-ended.Done()
	log("info", "SIGTERM: no new connections")
	draining, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		os.Exit(1)
	}
}
