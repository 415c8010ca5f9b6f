// Package libpf names the types that Alloy's uploader of profiles mentions. No pipeline of the platform has profiles.
package libpf

import "strconv"

// FileID tells programs apart.
type FileID uint64

// String is the name of a file.
type String string

// FrameMappingFileData says which file a part of memory comes from.
type FrameMappingFileData struct {
	FileID     FileID
	FileName   String
	GnuBuildID string
}

// Hash32 is what a cache of files asks for.
func (file FileID) Hash32() uint32 { return uint32(file) }

// StringNoQuotes is what a file is uploaded as.
func (file FileID) StringNoQuotes() string { return strconv.FormatUint(uint64(file), 16) }

// String returns the name.
func (name String) String() string { return string(name) }
