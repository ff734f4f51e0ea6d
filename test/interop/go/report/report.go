// Package report writes what a program saw as JSON lines on standard output, and reads orders from standard input.
package report

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/google/uuid"
	"github.com/open-telemetry/opamp-go/protobufs"
	"golang.org/x/sys/unix"
)

// Object is one JSON object.
type Object = map[string]any

var output sync.Mutex

// Write prints one line; "at" is CLOCK_MONOTONIC in milliseconds, the clock of Node's process.hrtime.
func Write(event string, fields Object) {
	line := Object{"event": event, "at": Now()}
	for key, value := range fields {
		line[key] = value
	}
	encoded, err := json.Marshal(line)
	if err != nil {
		Fail("cannot encode the report", err)
	}
	output.Lock()
	defer output.Unlock()
	_, _ = os.Stdout.Write(append(encoded, '\n'))
}

// Now is the monotonic clock in milliseconds.
func Now() float64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		Fail("cannot read the clock", err)
	}
	return float64(now.Sec)*1000 + float64(now.Nsec)/1e6
}

// Fail ends the program.
func Fail(message string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", message, err)
	os.Exit(1)
}

// ReadOrders calls handle with each line of standard input until it ends.
func ReadOrders[Order any](handle func(Order) error) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var order Order
		err := json.Unmarshal(lines.Bytes(), &order)
		if err == nil {
			err = handle(order)
		}
		if err != nil {
			Write("order-failed", Object{"order": lines.Text(), "error": err.Error()})
		}
	}
}

// UID is the canonical form of 16 bytes, or plain hexadecimal of any other number of them.
func UID(bytes []byte) string {
	if parsed, err := uuid.FromBytes(bytes); err == nil {
		return parsed.String()
	}
	return hex.EncodeToString(bytes)
}

// Attributes turns key values into an object.
func Attributes(pairs []*protobufs.KeyValue) Object {
	object := Object{}
	for _, pair := range pairs {
		switch value := pair.GetValue().GetValue().(type) {
		case *protobufs.AnyValue_StringValue:
			object[pair.Key] = value.StringValue
		case *protobufs.AnyValue_BoolValue:
			object[pair.Key] = value.BoolValue
		case *protobufs.AnyValue_IntValue:
			object[pair.Key] = value.IntValue
		case *protobufs.AnyValue_DoubleValue:
			object[pair.Key] = value.DoubleValue
		default:
			object[pair.Key] = pair.GetValue().String()
		}
	}
	return object
}

// ConfigMap turns named configuration files into an object of texts.
func ConfigMap(config *protobufs.AgentConfigMap) Object {
	object := Object{}
	for name, file := range config.GetConfigMap() {
		object[name] = string(file.GetBody())
	}
	return object
}
