{{- define "nerif.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "nerif.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "nerif.labels" -}}
{{ include "nerif.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "nerif.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* What both kinds of pods have: everything but the command, the probes and the size. */ -}}
{{- define "nerif.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "nerif.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "nerif.env" -}}
- { name: NERIF_CONFIG, value: /etc/nerif/nerif.config.yaml }
- { name: NERIF_HOST, value: "0.0.0.0" }
- { name: NERIF_PORT, value: "8787" }
- { name: NERIF_METRICS_PORT, value: "8787" }
- { name: NERIF_SHUTDOWN_GRACE, value: {{ printf "%ds" (int .Values.shutdownGraceSeconds) }} }
- { name: NERIF_DATABASE_URL, valueFrom: { secretKeyRef: { name: {{ .Values.database.secret | quote }}, key: {{ .Values.database.key | quote }} } } }
{{- with .Values.files.s3 }}
{{- if .bucket }}
- { name: NERIF_S3_BUCKET, value: {{ .bucket | quote }} }
{{- if .endpoint }}
- { name: NERIF_S3_ENDPOINT, value: {{ .endpoint | quote }} }
{{- end }}
{{- if .region }}
- { name: AWS_REGION, value: {{ .region | quote }} }
{{- end }}
{{- if .secret }}
- { name: AWS_ACCESS_KEY_ID, valueFrom: { secretKeyRef: { name: {{ .secret | quote }}, key: accessKeyId } } }
- { name: AWS_SECRET_ACCESS_KEY, valueFrom: { secretKeyRef: { name: {{ .secret | quote }}, key: secretAccessKey } } }
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.files.sharedClaim }}
- { name: NERIF_SHARED_DIR, value: /shared }
{{- end }}
{{- range .Values.secretEnv }}
- { name: {{ .name | quote }}, valueFrom: { secretKeyRef: { name: {{ .secret | quote }}, key: {{ .key | quote }} } } }
{{- end }}
{{- end }}

{{- define "nerif.volumeMounts" -}}
- { name: config, mountPath: /etc/nerif, readOnly: true }
- { name: data, mountPath: /data }
- { name: tmp, mountPath: /tmp }
{{- if .Values.files.sharedClaim }}
- { name: shared, mountPath: /shared }
{{- end }}
{{- end }}

{{- define "nerif.volumes" -}}
- { name: config, configMap: { name: {{ include "nerif.name" . }} } }
- { name: data, emptyDir: {} }
- { name: tmp, emptyDir: {} }
{{- if .Values.files.sharedClaim }}
- { name: shared, persistentVolumeClaim: { claimName: {{ .Values.files.sharedClaim | quote }} } }
{{- end }}
{{- end }}

{{- /* Nobody may listen for others without a key. One that is there stays as it is, so that each pod may do this. */ -}}
{{- define "nerif.admitKey" -}}
- name: admin-key
  image: {{ include "nerif.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [keys, create, --name, admin, --key-env, NERIF_ADMIN_KEY]
  env:
    {{- include "nerif.env" . | nindent 4 }}
    - { name: NERIF_ADMIN_KEY, valueFrom: { secretKeyRef: { name: {{ .Values.adminKey.secret | quote }}, key: {{ .Values.adminKey.key | quote }} } } }
  securityContext:
    {{- include "nerif.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- include "nerif.volumeMounts" . | nindent 4 }}
  resources:
    requests: { cpu: 100m, memory: 128Mi }
    limits: { memory: 512Mi }
{{- end }}

{{- define "nerif.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{- define "nerif.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "nerif.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
{{- end }}
