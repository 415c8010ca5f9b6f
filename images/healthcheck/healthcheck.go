// Health check of an image: ends with 0 if HEALTH_URL answers 200 within four seconds.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	client := http.Client{Timeout: 4 * time.Second}
	answer, err := client.Get(os.Getenv("HEALTH_URL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		os.Exit(1)
	}
}
