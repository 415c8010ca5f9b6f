// Makes a vulnerability database of Grype in a folder, from advisories about npm packages on standard input.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
)

type advisory struct {
	ID, Severity, Package, Below string
}

func main() {
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(folder string) error {
	var advisories []advisory
	if err := json.NewDecoder(os.Stdin).Decode(&advisories); err != nil {
		return err
	}
	database, err := v6.NewWriter(v6.Config{DBDirPath: folder})
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	source := &v6.Provider{ID: "github", Version: "1", Processor: "stand-in", DateCaptured: &now, InputDigest: "xxh64:0"}
	for _, each := range advisories {
		known := vulnerability(each, source, now)
		if err := database.AddVulnerabilities(known); err != nil {
			return err
		}
		if err := database.AddAffectedPackages(affected(each, known.ID)); err != nil {
			return err
		}
	}
	return database.Close()
}

func vulnerability(each advisory, source *v6.Provider, now time.Time) *v6.VulnerabilityHandle {
	severity := v6.Severity{Scheme: v6.SeveritySchemeHML, Value: strings.ToLower(each.Severity), Rank: 1}
	return &v6.VulnerabilityHandle{
		Name: each.ID, Status: v6.VulnerabilityActive, Provider: source, PublishedDate: &now, ModifiedDate: &now,
		BlobValue: &v6.VulnerabilityBlob{ID: each.ID, Severities: []v6.Severity{severity}},
	}
}

func affected(each advisory, vulnerability v6.ID) *v6.AffectedPackageHandle {
	return &v6.AffectedPackageHandle{
		VulnerabilityID: vulnerability,
		Package:         &v6.Package{Ecosystem: "npm", Name: each.Package},
		BlobValue: &v6.PackageBlob{Ranges: []v6.Range{{
			Version: v6.Version{Type: "semver", Constraint: "<" + each.Below},
			Fix:     &v6.Fix{Version: each.Below, State: v6.FixedStatus},
		}}},
	}
}
