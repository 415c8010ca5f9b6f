// Package process names the type that Alloy's uploader of profiles mentions. No pipeline of the platform has profiles.
package process

import "io"

// ReadAtCloser is an open file.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}
