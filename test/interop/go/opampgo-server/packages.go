package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"sort"
	"sync"

	"github.com/open-telemetry/opamp-go/protobufs"
)

// offeredPackage is one package of an order: a file of this machine, which files serves.
type offeredPackage struct {
	Addon     bool   `json:"addon"`
	Version   string `json:"version"`
	File      string `json:"file"`
	Signature []byte `json:"signature"`
}

// files serves what was offered, by content hash, the way Go's http package does: with Range and If-Range.
var files struct {
	mutex   sync.Mutex
	address string
	byHash  map[string]string
}

func serveFiles() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	files.address, files.byHash = listener.Addr().String(), map[string]string{}
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			files.mutex.Lock()
			path, known := files.byHash[request.URL.Path]
			files.mutex.Unlock()
			if !known {
				http.NotFound(response, request)
				return
			}
			http.ServeFile(response, request, path)
		}))
	}()
	return nil
}

func packagesAvailable(packages map[string]offeredPackage) (*protobufs.PackagesAvailable, error) {
	available := &protobufs.PackagesAvailable{Packages: map[string]*protobufs.PackageAvailable{}}
	names := []string{}
	for name, offered := range packages {
		content, err := os.ReadFile(offered.File)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256(content)
		path := fmt.Sprintf("/%x", digest)
		files.mutex.Lock()
		files.byHash[path] = offered.File
		files.mutex.Unlock()
		kind := protobufs.PackageType_PackageType_TopLevel
		if offered.Addon {
			kind = protobufs.PackageType_PackageType_Addon
		}
		hash := sha256.Sum256(fmt.Appendf(digest[:], "%s %v", offered.Version, kind))
		available.Packages[name] = &protobufs.PackageAvailable{
			Type:    kind,
			Version: offered.Version,
			Hash:    hash[:],
			File: &protobufs.DownloadableFile{
				DownloadUrl: "http://" + files.address + path,
				ContentHash: digest[:],
				Signature:   offered.Signature,
			},
		}
		names = append(names, name)
	}
	sort.Strings(names)
	all := sha256.New()
	for _, name := range names {
		_, _ = fmt.Fprintf(all, "%s %x\n", name, available.Packages[name].Hash)
	}
	available.AllPackagesHash = all.Sum(nil)
	return available, nil
}
