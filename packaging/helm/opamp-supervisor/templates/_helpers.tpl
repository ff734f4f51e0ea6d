{{- define "opamp-supervisor.name" -}}
{{- .Values.fullnameOverride | default .Values.nameOverride | default .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "opamp-supervisor.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "opamp-supervisor.labels" -}}
{{ include "opamp-supervisor.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "opamp-supervisor.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "opamp-supervisor.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "opamp-supervisor.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* "true" if a component asks Kubernetes for anything. */}}
{{- define "opamp-supervisor.usesApi" -}}
{{- with .Values.rbac -}}
{{- if or .kubeletstats .k8sattributes .k8sCluster .k8sEvents .prometheusDiscovery -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* supervisor.yaml: what the chart sets, with the settings of the values over it. */}}
{{- define "opamp-supervisor.settings" -}}
{{- $endpoint := required "server.endpoint is needed: where the OpAMP server is, such as wss://opamp.example.com/v1/opamp" .Values.server.endpoint -}}
{{- $server := dict "endpoint" $endpoint -}}
{{- with .Values.server.headers -}}{{- $_ := set $server "headers" . -}}{{- end -}}
{{- $attributes := dict "k8s.node.name" "${env:K8S_NODE_NAME}" "k8s.namespace.name" "${env:K8S_NAMESPACE_NAME}" "k8s.pod.name" "${env:K8S_POD_NAME}" -}}
{{- $ours := dict
  "server" $server
  "agent" (dict
    "executable" "/usr/local/bin/otelcol-contrib"
    "on_supervisor_exit" "stop"
    "description" (dict "non_identifying_attributes" $attributes))
  "storage" (dict "directory" "/var/lib/opamp-supervisor")
  "healthcheck" (dict "endpoint" "0.0.0.0:13133")
-}}
{{- toYaml (mergeOverwrite $ours (deepCopy .Values.settings)) -}}
{{- end -}}
