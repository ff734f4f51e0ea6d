// Reads Kubernetes manifests and refuses what the types of Kubernetes itself do not know: an unknown kind, an
// unknown or repeated field, a value of another type. Prints "kind name" for each; ends with 1 on a refusal.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	for _, add := range []func(*runtime.Scheme) error{monitoring.AddToScheme, certmanager.AddToScheme} {
		if err := add(scheme.Scheme); err != nil {
			fail(err)
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
		json.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			fail(err)
		}
		if onlyComments(document) {
			continue
		}
		object, kind, err := strict.Decode(document, nil, nil)
		if err != nil {
			fail(fmt.Errorf("%w\n%s", err, document))
		}
		accessor, err := meta.Accessor(object)
		if err != nil {
			fail(err)
		}
		fmt.Println(kind.Kind, accessor.GetName())
	}
}

func onlyComments(document []byte) bool {
	for _, line := range bytes.Split(document, []byte("\n")) {
		text := bytes.TrimSpace(line)
		if len(text) > 0 && text[0] != '#' && !bytes.Equal(text, []byte("---")) {
			return false
		}
	}
	return true
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
