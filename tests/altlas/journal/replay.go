// Replays journals by Pulumi's own code: the judge of altlas.session.journal.
// Reads a JSON array of {"base": deployment, "entries": [entry]} and prints an array of
// {"deployment": ..., "version": ..., "features": [...], "error": "...", "integrity": "..."}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/pkg/v3/backend"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack/snapshot"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

type question struct {
	Base    apitype.DeploymentV3   `json:"base"`
	Entries []apitype.JournalEntry `json:"entries"`
}

type answer struct {
	Deployment *apitype.DeploymentV3 `json:"deployment,omitempty"`
	Version    int                   `json:"version"`
	Features   []string              `json:"features"`
	Error      string                `json:"error,omitempty"`
	Integrity  string                `json:"integrity,omitempty"`
}

func replay(asked question) answer {
	replayer := backend.NewJournalReplayer(&asked.Base)
	for _, entry := range asked.Entries {
		if err := replayer.Add(entry); err != nil {
			return answer{Error: err.Error()}
		}
	}
	made, err := replayer.GenerateDeployment()
	if err != nil {
		return answer{Error: err.Error()}
	}
	said := answer{Deployment: made.Deployment, Version: made.Version, Features: made.Features}
	if broken := snapshot.VerifyIntegrity(made.Deployment); broken != nil {
		said.Integrity = broken.Error()
	}
	return said
}

func main() {
	var asked []question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	answers := make([]answer, 0, len(asked))
	for _, one := range asked {
		answers = append(answers, replay(one))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
