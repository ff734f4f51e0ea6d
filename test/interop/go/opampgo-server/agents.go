package main

import (
	"context"
	"encoding/hex"
	"strconv"
	"sync"

	"github.com/open-telemetry/opamp-go/protobufs"
	"github.com/open-telemetry/opamp-go/server/types"

	"opamp-supervisor/test/interop/report"
)

const capabilities = protobufs.ServerCapabilities_ServerCapabilities_AcceptsStatus |
	protobufs.ServerCapabilities_ServerCapabilities_OffersRemoteConfig |
	protobufs.ServerCapabilities_ServerCapabilities_AcceptsEffectiveConfig |
	protobufs.ServerCapabilities_ServerCapabilities_OffersConnectionSettings |
	protobufs.ServerCapabilities_ServerCapabilities_OffersPackages |
	protobufs.ServerCapabilities_ServerCapabilities_AcceptsPackagesStatus

// agents knows who is connected and what waits to be said. One agent at a time is what the tests need.
type agents struct {
	mutex       sync.Mutex
	connections map[types.Connection]struct{}
	count       int
	rejection   *types.ConnectionResponse
	waiting     []*protobufs.ServerToAgent
	sequences   map[string]uint64
}

func newAgents() *agents {
	return &agents{connections: map[types.Connection]struct{}{}, sequences: map[string]uint64{}}
}

func (a *agents) nextConnection() (int, *types.ConnectionResponse) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.count++
	return a.count, a.rejection
}

func (a *agents) add(connection types.Connection) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.connections[connection] = struct{}{}
}

func (a *agents) remove(connection types.Connection) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.connections, connection)
}

func (a *agents) open() []types.Connection {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	list := make([]types.Connection, 0, len(a.connections))
	for connection := range a.connections {
		list = append(list, connection)
	}
	return list
}

func (a *agents) disconnect() {
	for _, connection := range a.open() {
		_ = connection.Disconnect()
	}
}

// reject turns new connections away with this HTTP status; 0 accepts them again.
func (a *agents) reject(status int, retryAfter int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if status == 0 {
		a.rejection = nil
		return
	}
	headers := map[string]string{}
	if retryAfter > 0 {
		headers["Retry-After"] = strconv.Itoa(retryAfter)
	}
	a.rejection = &types.ConnectionResponse{HTTPStatusCode: status, HTTPResponseHeader: headers}
}

// send delivers over every WebSocket; without one the message waits for the next message or poll.
func (a *agents) send(name string, message *protobufs.ServerToAgent, fields report.Object) error {
	fields["name"] = name
	open := a.open()
	if len(open) == 0 {
		a.mutex.Lock()
		a.waiting = append(a.waiting, message)
		a.mutex.Unlock()
		report.Write("queued", fields)
		return nil
	}
	report.Write("sent", fields)
	for _, connection := range open {
		if err := connection.Send(context.Background(), message); err != nil {
			return err
		}
	}
	return nil
}

// answer is the reply to one message: what waited, and a request for everything where a message is missing.
func (a *agents) answer(message *protobufs.AgentToServer) *protobufs.ServerToAgent {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	reply := &protobufs.ServerToAgent{}
	if len(a.waiting) > 0 {
		reply, a.waiting = a.waiting[0], a.waiting[1:]
	}
	reply.InstanceUid = message.InstanceUid
	reply.Capabilities = uint64(capabilities)
	uid := hex.EncodeToString(message.InstanceUid)
	last, known := a.sequences[uid]
	a.sequences[uid] = message.SequenceNum
	if message.AgentDescription == nil && (!known || message.SequenceNum != last+1) {
		reply.Flags |= uint64(protobufs.ServerToAgentFlags_ServerToAgentFlags_ReportFullState)
	}
	return reply
}
