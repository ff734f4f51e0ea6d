package report

import (
	"encoding/hex"
	"strings"

	"github.com/open-telemetry/opamp-go/protobufs"
	"google.golang.org/protobuf/proto"
)

// AgentToServer decodes what the tests look at; a field that was not sent is left out.
func AgentToServer(message *protobufs.AgentToServer) Object {
	fields := Object{
		"instanceUid":  UID(message.InstanceUid),
		"sequenceNum":  message.SequenceNum,
		"capabilities": message.Capabilities,
		"flags":        message.Flags,
		"empty":        isEmpty(message),
	}
	if description := message.AgentDescription; description != nil {
		fields["identifying"] = Attributes(description.IdentifyingAttributes)
		fields["nonIdentifying"] = Attributes(description.NonIdentifyingAttributes)
	}
	if message.Health != nil {
		fields["health"] = health(message.Health)
	}
	if message.EffectiveConfig != nil {
		fields["effectiveConfig"] = ConfigMap(message.EffectiveConfig.ConfigMap)
	}
	if status := message.RemoteConfigStatus; status != nil {
		fields["remoteConfigStatus"] = Object{
			"status": strings.TrimPrefix(status.Status.String(), "RemoteConfigStatuses_"),
			"hash":   hex.EncodeToString(status.LastRemoteConfigHash),
			"error":  status.ErrorMessage,
		}
	}
	if status := message.ConnectionSettingsStatus; status != nil {
		fields["connectionSettingsStatus"] = Object{
			"status": strings.TrimPrefix(status.Status.String(), "ConnectionSettingsStatuses_"),
			"hash":   hex.EncodeToString(status.LastConnectionSettingsHash),
			"error":  status.ErrorMessage,
		}
	}
	if statuses := message.PackageStatuses; statuses != nil {
		packages := Object{}
		for name, status := range statuses.Packages {
			packages[name] = Object{
				"status":  strings.TrimPrefix(status.Status.String(), "PackageStatusEnum_"),
				"version": status.AgentHasVersion,
				"offered": status.ServerOfferedVersion,
				"error":   status.ErrorMessage,
			}
		}
		fields["packageStatuses"] = Object{
			"hash":     hex.EncodeToString(statuses.ServerProvidedAllPackagesHash),
			"packages": packages,
		}
	}
	if message.CustomCapabilities != nil {
		fields["customCapabilities"] = message.CustomCapabilities.Capabilities
	}
	if custom := message.CustomMessage; custom != nil {
		fields["customMessage"] = Object{"capability": custom.Capability, "type": custom.Type, "data": string(custom.Data)}
	}
	if components := message.AvailableComponents; components != nil {
		fields["availableComponents"] = Object{
			"hash":   hex.EncodeToString(components.Hash),
			"count":  len(components.Components),
			"nested": countComponents(components.Components),
		}
	}
	if message.AgentDisconnect != nil {
		fields["agentDisconnect"] = true
	}
	return fields
}

// isEmpty tells a heartbeat: nothing but what every message carries.
func isEmpty(message *protobufs.AgentToServer) bool {
	bare := proto.Clone(message).(*protobufs.AgentToServer)
	bare.InstanceUid, bare.SequenceNum, bare.Capabilities, bare.Flags = nil, 0, 0, 0
	return proto.Size(bare) == 0
}

func health(message *protobufs.ComponentHealth) Object {
	object := Object{
		"healthy":   message.Healthy,
		"status":    message.Status,
		"error":     message.LastError,
		"startTime": message.StartTimeUnixNano,
	}
	if len(message.ComponentHealthMap) > 0 {
		components := Object{}
		for name, component := range message.ComponentHealthMap {
			components[name] = health(component)
		}
		object["components"] = components
	}
	return object
}

func countComponents(components map[string]*protobufs.ComponentDetails) int {
	count := 0
	for _, component := range components {
		count += 1 + countComponents(component.SubComponentMap)
	}
	return count
}
