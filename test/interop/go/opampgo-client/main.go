// opampgo-client is the Go implementation's OpAMP client, playing an agent as JSON lines on standard input say.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/open-telemetry/opamp-go/client"
	"github.com/open-telemetry/opamp-go/client/types"
	"github.com/open-telemetry/opamp-go/protobufs"

	"opamp-supervisor/test/interop/report"
)

// stderrLogger shows the library's errors to whoever debugs a test.
type stderrLogger struct{}

func (stderrLogger) Debugf(context.Context, string, ...any) {}

func (stderrLogger) Errorf(_ context.Context, format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:4320/v1/opamp", "OpAMP server; ws and wss use WebSocket, http and https poll")
	uid := flag.String("uid", "", "instance UID; a new one without it")
	name := flag.String("name", "opampgo-client", "service.name")
	token := flag.String("token", "", "bearer token for the Authorization header")
	heartbeat := flag.Duration("heartbeat", 200*time.Millisecond, "time between heartbeats or polls")
	flag.Parse()

	agent, err := newAgent(*uid, *name)
	if err != nil {
		report.Fail("cannot make the agent", err)
	}
	if err := agent.start(*url, *token, *heartbeat); err != nil {
		report.Fail("cannot start the client", err)
	}
	report.Write("started", report.Object{"instanceUid": uuid.UUID(agent.uid).String()})
	report.ReadOrders(agent.obey)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := agent.client.Stop(ctx); err != nil {
		report.Fail("cannot stop the client", err)
	}
}

func newClient(url string) client.OpAMPClient {
	if url[0] == 'h' {
		return client.NewHTTP(stderrLogger{})
	}
	return client.NewWebSocket(stderrLogger{})
}

func newAgent(uid string, name string) (*agent, error) {
	id, err := uuid.NewV7()
	if err == nil && uid != "" {
		id, err = uuid.Parse(uid)
	}
	if err != nil {
		return nil, err
	}
	return &agent{
		uid:       types.InstanceUid(id),
		name:      name,
		status:    protobufs.RemoteConfigStatuses_RemoteConfigStatuses_APPLIED,
		effective: map[string]*protobufs.AgentConfigFile{},
	}, nil
}
