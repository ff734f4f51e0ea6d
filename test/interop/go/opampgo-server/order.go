package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"

	"github.com/google/uuid"
	"github.com/open-telemetry/opamp-go/protobufs"

	"opamp-supervisor/test/interop/report"
)

// order is one line of standard input; Cmd says which of the other fields matter.
type order struct {
	Cmd        string            `json:"cmd"`
	Files      map[string]string `json:"files"`
	Hash       string            `json:"hash"`
	UID        string            `json:"uid"`
	Seconds    uint64            `json:"seconds"`
	Endpoint   string            `json:"endpoint"`
	Headers    map[string]string `json:"headers"`
	CA         string            `json:"ca"`
	Capability string            `json:"capability"`
	Type       string            `json:"type"`
	Data       string            `json:"data"`
	Status     int               `json:"status"`
	RetryAfter int               `json:"retryAfter"`
	// Packages is what "packages" offers, and "config" in the same message if there are any.
	Packages map[string]offeredPackage `json:"packages"`
}

// message is what the order sends, and what is worth reporting of it.
func (o order) message() (*protobufs.ServerToAgent, report.Object, error) {
	switch o.Cmd {
	case "config", "empty-config":
		return o.remoteConfig()
	case "packages":
		available, err := packagesAvailable(o.Packages)
		if err != nil {
			return nil, nil, err
		}
		hash := hex.EncodeToString(available.AllPackagesHash)
		return &protobufs.ServerToAgent{PackagesAvailable: available}, report.Object{"hash": hash}, nil
	case "restart":
		command := &protobufs.ServerToAgentCommand{Type: protobufs.CommandType_CommandType_Restart}
		return &protobufs.ServerToAgent{Command: command}, report.Object{}, nil
	case "full-state":
		return flags(protobufs.ServerToAgentFlags_ServerToAgentFlags_ReportFullState)
	case "components":
		return flags(protobufs.ServerToAgentFlags_ServerToAgentFlags_ReportAvailableComponents)
	case "new-uid":
		uid, err := uuid.Parse(o.UID)
		if err != nil {
			return nil, nil, err
		}
		identification := &protobufs.AgentIdentification{NewInstanceUid: uid[:]}
		return &protobufs.ServerToAgent{AgentIdentification: identification}, report.Object{"uid": uid.String()}, nil
	case "heartbeat":
		return o.offer(&protobufs.ConnectionSettingsOffers{
			Opamp: &protobufs.OpAMPConnectionSettings{HeartbeatIntervalSeconds: o.Seconds},
		})
	case "connection-settings":
		settings := &protobufs.OpAMPConnectionSettings{
			DestinationEndpoint:      o.Endpoint,
			Headers:                  headers(o.Headers),
			HeartbeatIntervalSeconds: o.Seconds,
		}
		if o.CA != "" {
			settings.Tls = &protobufs.TLSConnectionSettings{CaPemContents: o.CA}
		}
		return o.offer(&protobufs.ConnectionSettingsOffers{Opamp: settings})
	case "own-metrics":
		settings := &protobufs.TelemetryConnectionSettings{DestinationEndpoint: o.Endpoint, Headers: headers(o.Headers)}
		return o.offer(&protobufs.ConnectionSettingsOffers{OwnMetrics: settings})
	case "custom-message":
		custom := &protobufs.CustomMessage{Capability: o.Capability, Type: o.Type, Data: []byte(o.Data)}
		return &protobufs.ServerToAgent{CustomMessage: custom}, report.Object{}, nil
	default:
		return nil, nil, fmt.Errorf("no such order: %q", o.Cmd)
	}
}

func flags(flag protobufs.ServerToAgentFlags) (*protobufs.ServerToAgent, report.Object, error) {
	return &protobufs.ServerToAgent{Flags: uint64(flag)}, report.Object{}, nil
}

func (o order) remoteConfig() (*protobufs.ServerToAgent, report.Object, error) {
	files := map[string]*protobufs.AgentConfigFile{}
	for name, body := range o.Files {
		files[name] = &protobufs.AgentConfigFile{Body: []byte(body), ContentType: "text/yaml"}
	}
	hash, err := o.hash()
	if err != nil {
		return nil, nil, err
	}
	message := &protobufs.ServerToAgent{RemoteConfig: &protobufs.AgentRemoteConfig{
		Config:     &protobufs.AgentConfigMap{ConfigMap: files},
		ConfigHash: hash,
	}}
	if len(o.Packages) > 0 {
		if message.PackagesAvailable, err = packagesAvailable(o.Packages); err != nil {
			return nil, nil, err
		}
	}
	return message, report.Object{"hash": hex.EncodeToString(hash)}, nil
}

func (o order) offer(offers *protobufs.ConnectionSettingsOffers) (*protobufs.ServerToAgent, report.Object, error) {
	hash, err := o.hash()
	if err != nil {
		return nil, nil, err
	}
	offers.Hash = hash
	return &protobufs.ServerToAgent{ConnectionSettings: offers}, report.Object{"hash": hex.EncodeToString(hash)}, nil
}

// hash is the one that was given, or one of everything that the order says.
func (o order) hash() ([]byte, error) {
	if o.Hash != "" {
		return hex.DecodeString(o.Hash)
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "%v", o))
	return digest[:], nil
}

func headers(pairs map[string]string) *protobufs.Headers {
	if len(pairs) == 0 {
		return nil
	}
	list := &protobufs.Headers{}
	for key, value := range pairs {
		list.Headers = append(list.Headers, &protobufs.Header{Key: key, Value: value})
	}
	sort.Slice(list.Headers, func(a, b int) bool { return list.Headers[a].Key < list.Headers[b].Key })
	return list
}
