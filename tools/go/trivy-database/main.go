// Makes a vulnerability database of Trivy in a folder, from advisories about npm packages on standard input.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

const bucket = "npm::stand-in"

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
	if err := db.Init(folder); err != nil {
		return err
	}
	if err := (db.Config{}).BatchUpdate(func(tx *bolt.Tx) error { return put(tx, advisories) }); err != nil {
		return err
	}
	now := time.Now().UTC()
	about := metadata.Metadata{Version: db.SchemaVersion, UpdatedAt: now, DownloadedAt: now, NextUpdate: now.Add(24 * time.Hour)}
	if err := metadata.NewClient(folder).Update(about); err != nil {
		return err
	}
	return db.Close()
}

func put(tx *bolt.Tx, advisories []advisory) error {
	to := db.Config{}
	source := types.DataSource{ID: "stand-in", Name: "advisories of a test", URL: "https://example.com"}
	if err := to.PutDataSource(tx, bucket, source); err != nil {
		return err
	}
	for _, each := range advisories {
		severity, err := types.NewSeverity(strings.ToUpper(each.Severity))
		if err != nil {
			return err
		}
		versions := types.Advisory{VulnerableVersions: []string{"<" + each.Below}, PatchedVersions: []string{each.Below}}
		if err := to.PutAdvisory(tx, []string{bucket, each.Package}, each.ID, versions); err != nil {
			return err
		}
		detail := types.Vulnerability{Title: each.ID, VendorSeverity: types.VendorSeverity{source.ID: severity}}
		if err := to.PutVulnerability(tx, each.ID, detail); err != nil {
			return err
		}
	}
	return nil
}
