{{- /* A Deployment of one component: { root, component, values, preStopSeconds, replicas or null } */ -}}
{{- define "nerif.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "nerif.name" $root }}-{{ .component }}
  labels:
    {{- include "nerif.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  # One after the other: what a pod has in flight is done before the next one is stopped.
  strategy: { type: RollingUpdate, rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }
  selector:
    matchLabels:
      {{- include "nerif.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  template:
    metadata:
      labels:
        {{- include "nerif.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
      annotations:
        # Another configuration is other pods: it is read at the start.
        checksum/config: {{ toYaml $root.Values.config | sha256sum }}
    spec:
      serviceAccountName: {{ include "nerif.name" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - { name: {{ . | quote }} }
        {{- end }}
      {{- end }}
      # Beyond the grace it takes some seconds to hand shards back and to close; only then is it killed.
      terminationGracePeriodSeconds: {{ add $root.Values.shutdownGraceSeconds .preStopSeconds 15 }}
      securityContext:
        {{- include "nerif.podSecurity" $root | nindent 8 }}
      initContainers:
        {{- include "nerif.admitKey" $root | nindent 8 }}
      containers:
        - name: {{ .component }}
          image: {{ include "nerif.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .command }}]
          env:
            {{- include "nerif.env" $root | nindent 12 }}
          ports:
            - { name: http, containerPort: 8787 }
          {{- include "nerif.probes" $root | nindent 10 }}
          {{- if .preStopSeconds }}
          lifecycle:
            preStop: { exec: { command: [sleep, {{ .preStopSeconds | quote }}] } }
          {{- end }}
          securityContext:
            {{- include "nerif.containerSecurity" $root | nindent 12 }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            {{- include "nerif.volumeMounts" $root | nindent 12 }}
      volumes:
        {{- include "nerif.volumes" $root | nindent 8 }}
      topologySpreadConstraints:
        {{- include "nerif.spread" (dict "root" $root "component" .component) | nindent 8 }}
      {{- with .values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
