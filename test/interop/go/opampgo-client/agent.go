package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/open-telemetry/opamp-go/client"
	"github.com/open-telemetry/opamp-go/client/types"
	"github.com/open-telemetry/opamp-go/protobufs"

	"opamp-supervisor/test/interop/report"
)

const capabilities = protobufs.AgentCapabilities_AgentCapabilities_ReportsStatus |
	protobufs.AgentCapabilities_AgentCapabilities_AcceptsRemoteConfig |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsEffectiveConfig |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsRemoteConfig |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsHealth |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsHeartbeat |
	protobufs.AgentCapabilities_AgentCapabilities_AcceptsRestartCommand |
	protobufs.AgentCapabilities_AgentCapabilities_AcceptsOpAMPConnectionSettings

// agent answers every configuration with the status it was last told to answer with.
type agent struct {
	client client.OpAMPClient
	name   string

	mutex     sync.Mutex
	uid       types.InstanceUid
	status    protobufs.RemoteConfigStatuses
	reason    string
	effective map[string]*protobufs.AgentConfigFile
}

// order is one line of standard input; Cmd says which of the other fields matter.
type order struct {
	Cmd        string `json:"cmd"`
	Status     string `json:"status"`
	Error      string `json:"error"`
	Healthy    bool   `json:"healthy"`
	Name       string `json:"name"`
	Capability string `json:"capability"`
	Type       string `json:"type"`
	Data       string `json:"data"`
}

func (a *agent) start(url string, token string, heartbeat time.Duration) error {
	a.client = newClient(url)
	if err := a.client.SetAgentDescription(a.description()); err != nil {
		return err
	}
	if err := a.client.SetHealth(health(true, "")); err != nil {
		return err
	}
	wanted := capabilities
	if err := a.client.SetCapabilities(&wanted); err != nil {
		return err
	}
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return a.client.Start(context.Background(), types.StartSettings{
		OpAMPServerURL:    url,
		Header:            header,
		InstanceUid:       a.uid,
		HeartbeatInterval: &heartbeat,
		Callbacks: types.Callbacks{
			OnConnect: func(context.Context) { report.Write("connected", nil) },
			OnConnectFailed: func(_ context.Context, err error) {
				report.Write("connect-failed", report.Object{"error": err.Error()})
			},
			OnError: func(_ context.Context, response *protobufs.ServerErrorResponse) {
				report.Write("error-response", report.Object{"type": response.Type.String(), "error": response.ErrorMessage})
			},
			OnMessage:          a.receive,
			GetEffectiveConfig: a.effectiveConfig,
			OnCommand: func(_ context.Context, command *protobufs.ServerToAgentCommand) error {
				report.Write("command", report.Object{"type": command.Type.String()})
				return nil
			},
			OnOpampConnectionSettings: func(_ context.Context, settings *protobufs.OpAMPConnectionSettings) error {
				report.Write("opamp-settings", report.Object{
					"endpoint": settings.DestinationEndpoint,
					"seconds":  settings.HeartbeatIntervalSeconds,
				})
				return nil
			},
		},
	})
}

func (a *agent) obey(order order) error {
	switch order.Cmd {
	case "answer":
		status, known := protobufs.RemoteConfigStatuses_value["RemoteConfigStatuses_"+order.Status]
		if !known {
			return fmt.Errorf("no such status: %q", order.Status)
		}
		a.mutex.Lock()
		defer a.mutex.Unlock()
		a.status, a.reason = protobufs.RemoteConfigStatuses(status), order.Error
		return nil
	case "health":
		return a.client.SetHealth(health(order.Healthy, order.Error))
	case "description":
		a.name = order.Name
		return a.client.SetAgentDescription(a.description())
	case "custom-capability":
		return a.client.SetCustomCapabilities(&protobufs.CustomCapabilities{Capabilities: []string{order.Capability}})
	case "custom-message":
		custom := &protobufs.CustomMessage{Capability: order.Capability, Type: order.Type, Data: []byte(order.Data)}
		_, err := a.client.SendCustomMessage(custom)
		return err
	default:
		return fmt.Errorf("no such order: %q", order.Cmd)
	}
}

func (a *agent) receive(ctx context.Context, message *types.MessageData) {
	if identification := message.AgentIdentification; identification != nil {
		a.mutex.Lock()
		copy(a.uid[:], identification.NewInstanceUid)
		a.mutex.Unlock()
		report.Write("new-uid", report.Object{"uid": report.UID(identification.NewInstanceUid)})
	}
	if custom := message.CustomMessage; custom != nil {
		report.Write("custom-message", report.Object{"capability": custom.Capability, "type": custom.Type, "data": string(custom.Data)})
	}
	if config := message.RemoteConfig; config != nil {
		report.Write("config", report.Object{
			"hash":  hex.EncodeToString(config.ConfigHash),
			"files": report.ConfigMap(config.Config),
		})
		a.decide(ctx, config)
	}
}

func (a *agent) decide(ctx context.Context, config *protobufs.AgentRemoteConfig) {
	a.mutex.Lock()
	status, reason := a.status, a.reason
	applied := status == protobufs.RemoteConfigStatuses_RemoteConfigStatuses_APPLIED
	if applied {
		a.effective = config.GetConfig().GetConfigMap()
	}
	a.mutex.Unlock()
	err := a.client.SetRemoteConfigStatus(&protobufs.RemoteConfigStatus{
		LastRemoteConfigHash: config.ConfigHash,
		Status:               status,
		ErrorMessage:         reason,
	})
	if err == nil && applied {
		err = a.client.UpdateEffectiveConfig(ctx)
	}
	if err != nil {
		report.Write("order-failed", report.Object{"error": err.Error()})
	}
}

func (a *agent) effectiveConfig(context.Context) (*protobufs.EffectiveConfig, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return &protobufs.EffectiveConfig{ConfigMap: &protobufs.AgentConfigMap{ConfigMap: a.effective}}, nil
}

func (a *agent) description() *protobufs.AgentDescription {
	return &protobufs.AgentDescription{
		IdentifyingAttributes: []*protobufs.KeyValue{
			attribute("service.name", a.name),
			attribute("service.instance.id", uuid.UUID(a.uid).String()),
			attribute("service.version", "1.2.3"),
		},
		NonIdentifyingAttributes: []*protobufs.KeyValue{attribute("os.type", "linux")},
	}
}

func attribute(key string, value string) *protobufs.KeyValue {
	return &protobufs.KeyValue{
		Key:   key,
		Value: &protobufs.AnyValue{Value: &protobufs.AnyValue_StringValue{StringValue: value}},
	}
}

func health(healthy bool, reason string) *protobufs.ComponentHealth {
	return &protobufs.ComponentHealth{
		Healthy:            healthy,
		LastError:          reason,
		StartTimeUnixNano:  uint64(time.Now().UnixNano()),
		StatusTimeUnixNano: uint64(time.Now().UnixNano()),
	}
}
