package kubeyaml

// A Holder is a place where a kind of object holds a PodSpec, or something that
// has the same fields for scheduling.
type Holder struct {
	Kind   string // GROUP/KIND, the group of the core being empty
	Path   string // as --pod-spec takes it: keys joined by dots; key[*] is each item of a list, * each value of a mapping
	Source string // where the schema is: a Go module and a file in it, or a repository

	form *form // nil: a PodSpec
}

// A form says where the containers of something other than a PodSpec stand, and
// from where it takes what it does not say itself.
type form struct {
	containers   []string // from Path on
	inherits     []string // from the object on, as the others below: mappings whose affinity and nodeSelector apply where it has none
	outer        []string // containers of the Pod that stand elsewhere in the object
	first        []string // images, of which the first that is there is the Pod's
	against      []string // what must not be there, since it keeps the place or its images from being known
	needed       bool     // without the place there are Pods that are not looked at
	unless       string   // what makes it needless
	architecture string   // from Path on: the architecture that the Pod is for
}

const (
	ray       = "github.com/ray-project/kuberay/ray-operator config/crd/bases"
	kserve    = "github.com/kserve/kserve config/crd/full"
	kubeflow  = "github.com/kubeflow/training-operator manifests/base/crds"
	trainer   = "github.com/kubeflow/trainer/v2 manifests/base/crds"
	kruise    = "github.com/openkruise/kruise config/crd/bases"
	rollouts  = "github.com/argoproj/argo-rollouts manifests/crds"
	workflows = "github.com/argoproj/argo-workflows/v3 pkg/apis/workflow/v1alpha1/workflow_types.go, manifests/base/crds/full"
	knative   = "knative.dev/serving config/core/300-resources"
	eck       = "github.com/elastic/cloud-on-k8s/v3 config/crds/v1/resources"
	flink     = "github.com/apache/flink-kubernetes-operator helm/flink-kubernetes-operator/crds"
	spark     = "github.com/kubeflow/spark-operator/v2 config/crd/bases"
	volcano   = "volcano.sh/volcano config/crd/volcano/bases"
	tekton    = "github.com/tektoncd/pipeline pkg/apis/pipeline/v1/taskrun_types.go, pkg/apis/pipeline/pod/template.go"
	kubevirt  = "kubevirt.io/api core/v1/types.go"
	kubelet   = "k8s.io/api" // Go types
)

// holders is every kind that is known without --pod-spec and --crds. A test
// holds the paths to the schemas that the modules in the last column carry.
//
// Kinds that run images but have no place for them that is known are in
// elsewhere.
var holders = []Holder{
	{Kind: "/Pod", Path: "spec", Source: kubelet},
	{Kind: "/PodTemplate", Path: "template.spec", Source: kubelet},
	{Kind: "/ReplicationController", Path: "spec.template.spec", Source: kubelet},
	{Kind: "apps/DaemonSet", Path: "spec.template.spec", Source: kubelet},
	{Kind: "apps/Deployment", Path: "spec.template.spec", Source: kubelet},
	{Kind: "apps/ReplicaSet", Path: "spec.template.spec", Source: kubelet},
	{Kind: "apps/StatefulSet", Path: "spec.template.spec", Source: kubelet},
	{Kind: "batch/CronJob", Path: "spec.jobTemplate.spec.template.spec", Source: kubelet},
	{Kind: "batch/Job", Path: "spec.template.spec", Source: kubelet},
	{Kind: "extensions/DaemonSet", Path: "spec.template.spec", Source: kubelet}, // before Kubernetes 1.16
	{Kind: "extensions/Deployment", Path: "spec.template.spec", Source: kubelet},
	{Kind: "extensions/ReplicaSet", Path: "spec.template.spec", Source: kubelet},

	{Kind: "apps.openshift.io/DeploymentConfig", Path: "spec.template.spec", Source: "github.com/openshift/api openapi/openapi.json"},
	{Kind: "/DeploymentConfig", Path: "spec.template.spec", Source: "github.com/openshift/api openapi/openapi.json"}, // before OpenShift 3.6

	{Kind: "argoproj.io/Rollout", Path: "spec.template.spec", Source: rollouts},
	{Kind: "argoproj.io/Experiment", Path: "spec.templates[*].template.spec", Source: rollouts},
	{Kind: "argoproj.io/AnalysisRun", Path: "spec.metrics[*].provider.job.spec.template.spec", Source: rollouts},
	{Kind: "argoproj.io/AnalysisTemplate", Path: "spec.metrics[*].provider.job.spec.template.spec", Source: rollouts},
	{Kind: "argoproj.io/ClusterAnalysisTemplate", Path: "spec.metrics[*].provider.job.spec.template.spec", Source: rollouts},
	{Kind: "argoproj.io/Workflow", Path: "spec.templates[*]", Source: workflows, form: workflow("spec")},
	{Kind: "argoproj.io/WorkflowTemplate", Path: "spec.templates[*]", Source: workflows, form: workflow("spec")},
	{Kind: "argoproj.io/ClusterWorkflowTemplate", Path: "spec.templates[*]", Source: workflows, form: workflow("spec")},
	{Kind: "argoproj.io/CronWorkflow", Path: "spec.workflowSpec.templates[*]", Source: workflows, form: workflow("spec.workflowSpec")},

	{Kind: "serving.knative.dev/Configuration", Path: "spec.template.spec", Source: knative},
	{Kind: "serving.knative.dev/Revision", Path: "spec", Source: knative},
	{Kind: "serving.knative.dev/Service", Path: "spec.template.spec", Source: knative},

	{Kind: "sinks.knative.dev/JobSink", Path: "spec.job.spec.template.spec", Source: "knative.dev/eventing config/core/resources"},
	{Kind: "sources.knative.dev/ContainerSource", Path: "spec.template.spec", Source: "knative.dev/eventing config/core/resources"},

	{Kind: "ray.io/RayCluster", Path: "spec.headGroupSpec.template.spec", Source: ray},
	{Kind: "ray.io/RayCluster", Path: "spec.workerGroupSpecs[*].template.spec", Source: ray},
	{Kind: "ray.io/RayJob", Path: "spec.rayClusterSpec.headGroupSpec.template.spec", Source: ray},
	{Kind: "ray.io/RayJob", Path: "spec.rayClusterSpec.workerGroupSpecs[*].template.spec", Source: ray},
	{Kind: "ray.io/RayJob", Path: "spec.submitterPodTemplate.spec", Source: ray},
	{Kind: "ray.io/RayCronJob", Path: "spec.jobTemplate.rayClusterSpec.headGroupSpec.template.spec", Source: ray},
	{Kind: "ray.io/RayCronJob", Path: "spec.jobTemplate.rayClusterSpec.workerGroupSpecs[*].template.spec", Source: ray},
	{Kind: "ray.io/RayCronJob", Path: "spec.jobTemplate.submitterPodTemplate.spec", Source: ray},
	{Kind: "ray.io/RayService", Path: "spec.rayClusterConfig.headGroupSpec.template.spec", Source: ray},
	{Kind: "ray.io/RayService", Path: "spec.rayClusterConfig.workerGroupSpecs[*].template.spec", Source: ray},

	{Kind: "serving.kserve.io/ServingRuntime", Path: "spec", Source: kserve},
	{Kind: "serving.kserve.io/ServingRuntime", Path: "spec.workerSpec", Source: kserve},
	{Kind: "serving.kserve.io/ClusterServingRuntime", Path: "spec", Source: kserve},
	{Kind: "serving.kserve.io/ClusterServingRuntime", Path: "spec.workerSpec", Source: kserve},
	{Kind: "serving.kserve.io/InferenceService", Path: "spec.predictor", Source: kserve},
	{Kind: "serving.kserve.io/InferenceService", Path: "spec.predictor.workerSpec", Source: kserve},
	{Kind: "serving.kserve.io/InferenceService", Path: "spec.transformer", Source: kserve},
	{Kind: "serving.kserve.io/InferenceService", Path: "spec.explainer", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceService", Path: "spec.template", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceService", Path: "spec.worker", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceService", Path: "spec.prefill.template", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceService", Path: "spec.prefill.worker", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceService", Path: "spec.router.scheduler.template", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceServiceConfig", Path: "spec.template", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceServiceConfig", Path: "spec.worker", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceServiceConfig", Path: "spec.prefill.template", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceServiceConfig", Path: "spec.prefill.worker", Source: kserve},
	{Kind: "serving.kserve.io/LLMInferenceServiceConfig", Path: "spec.router.scheduler.template", Source: kserve},

	{Kind: "jobset.x-k8s.io/JobSet", Path: "spec.replicatedJobs[*].template.spec.template.spec", Source: "sigs.k8s.io/jobset config/components/crd/bases"},
	{Kind: "leaderworkerset.x-k8s.io/LeaderWorkerSet", Path: "spec.leaderWorkerTemplate.leaderTemplate.spec", Source: "sigs.k8s.io/lws config/crd/bases"},
	{Kind: "leaderworkerset.x-k8s.io/LeaderWorkerSet", Path: "spec.leaderWorkerTemplate.workerTemplate.spec", Source: "sigs.k8s.io/lws config/crd/bases"},
	{Kind: "kueue.x-k8s.io/Workload", Path: "spec.podSets[*].template.spec", Source: "sigs.k8s.io/kueue config/components/crd/bases"},
	{Kind: "batch.volcano.sh/Job", Path: "spec.tasks[*].template.spec", Source: volcano},
	{Kind: "flow.volcano.sh/JobTemplate", Path: "spec.tasks[*].template.spec", Source: volcano},

	{Kind: "kubeflow.org/JAXJob", Path: "spec.jaxReplicaSpecs.*.template.spec", Source: kubeflow},
	{Kind: "kubeflow.org/MPIJob", Path: "spec.mpiReplicaSpecs.*.template.spec", Source: kubeflow},
	{Kind: "kubeflow.org/MXJob", Path: "spec.mxReplicaSpecs.*.template.spec", Source: kubeflow + ", until v1.8"},
	{Kind: "kubeflow.org/PaddleJob", Path: "spec.paddleReplicaSpecs.*.template.spec", Source: kubeflow},
	{Kind: "kubeflow.org/PyTorchJob", Path: "spec.pytorchReplicaSpecs.*.template.spec", Source: kubeflow},
	{Kind: "kubeflow.org/TFJob", Path: "spec.tfReplicaSpecs.*.template.spec", Source: kubeflow},
	{Kind: "kubeflow.org/XGBoostJob", Path: "spec.xgbReplicaSpecs.*.template.spec", Source: kubeflow},
	{Kind: "trainer.kubeflow.org/ClusterTrainingRuntime", Path: "spec.template.spec.replicatedJobs[*].template.spec.template.spec", Source: trainer},
	{Kind: "trainer.kubeflow.org/TrainingRuntime", Path: "spec.template.spec.replicatedJobs[*].template.spec.template.spec", Source: trainer},

	{Kind: "apps.kruise.io/AdvancedCronJob", Path: "spec.template.broadcastJobTemplate.spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/AdvancedCronJob", Path: "spec.template.jobTemplate.spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/BroadcastJob", Path: "spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/CloneSet", Path: "spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/DaemonSet", Path: "spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/StatefulSet", Path: "spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/UnitedDeployment", Path: "spec.template.advancedStatefulSetTemplate.spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/UnitedDeployment", Path: "spec.template.cloneSetTemplate.spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/UnitedDeployment", Path: "spec.template.deploymentTemplate.spec.template.spec", Source: kruise},
	{Kind: "apps.kruise.io/UnitedDeployment", Path: "spec.template.statefulSetTemplate.spec.template.spec", Source: kruise},

	{Kind: "keda.sh/ScaledJob", Path: "spec.jobTargetRef.template.spec", Source: "github.com/kedacore/keda/v2 config/crd/bases"},
	{Kind: "prow.k8s.io/ProwJob", Path: "spec.pod_spec", Source: "sigs.k8s.io/prow config/prow/cluster/prowjob-crd"},

	{Kind: "sparkoperator.k8s.io/SparkApplication", Path: "spec.driver.template.spec", Source: spark, form: sparkPod("spec", "driver")},
	{Kind: "sparkoperator.k8s.io/SparkApplication", Path: "spec.executor.template.spec", Source: spark, form: sparkPod("spec", "executor")},
	{Kind: "sparkoperator.k8s.io/ScheduledSparkApplication", Path: "spec.template.driver.template.spec", Source: spark, form: sparkPod("spec.template", "driver")},
	{Kind: "sparkoperator.k8s.io/ScheduledSparkApplication", Path: "spec.template.executor.template.spec", Source: spark, form: sparkPod("spec.template", "executor")},
	{Kind: "flink.apache.org/FlinkDeployment", Path: "spec.podTemplate.spec", Source: flink, form: flinkPod("", "spec.jobManager.podTemplate", "spec.taskManager.podTemplate")},
	{Kind: "flink.apache.org/FlinkDeployment", Path: "spec.jobManager.podTemplate.spec", Source: flink, form: flinkPod("spec.podTemplate", "spec.podTemplate")},
	{Kind: "flink.apache.org/FlinkDeployment", Path: "spec.taskManager.podTemplate.spec", Source: flink, form: flinkPod("spec.podTemplate", "spec.podTemplate")},

	{Kind: "tekton.dev/TaskRun", Path: "spec.podTemplate", Source: tekton, form: taskRun},
	{Kind: "kubevirt.io/VirtualMachine", Path: "spec.template.spec", Source: kubevirt, form: machine},
	{Kind: "kubevirt.io/VirtualMachineInstance", Path: "spec", Source: kubevirt, form: machine},
	{Kind: "kubevirt.io/VirtualMachineInstanceReplicaSet", Path: "spec.template.spec", Source: kubevirt, form: machine},
	{Kind: "pool.kubevirt.io/VirtualMachinePool", Path: "spec.virtualMachineTemplate.spec.template.spec", Source: "kubevirt.io/api pool/v1alpha1/types.go", form: machine},

	{Kind: "agent.k8s.elastic.co/Agent", Path: "spec.daemonSet.podTemplate.spec", Source: eck},
	{Kind: "agent.k8s.elastic.co/Agent", Path: "spec.deployment.podTemplate.spec", Source: eck},
	{Kind: "agent.k8s.elastic.co/Agent", Path: "spec.statefulSet.podTemplate.spec", Source: eck},
	{Kind: "apm.k8s.elastic.co/ApmServer", Path: "spec.podTemplate.spec", Source: eck},
	{Kind: "beat.k8s.elastic.co/Beat", Path: "spec.daemonSet.podTemplate.spec", Source: eck},
	{Kind: "beat.k8s.elastic.co/Beat", Path: "spec.deployment.podTemplate.spec", Source: eck},
	{Kind: "elasticsearch.k8s.elastic.co/Elasticsearch", Path: "spec.nodeSets[*].podTemplate.spec", Source: eck},
	{Kind: "enterprisesearch.k8s.elastic.co/EnterpriseSearch", Path: "spec.podTemplate.spec", Source: eck},
	{Kind: "kibana.k8s.elastic.co/Kibana", Path: "spec.podTemplate.spec", Source: eck},
	{Kind: "logstash.k8s.elastic.co/Logstash", Path: "spec.podTemplate.spec", Source: eck},
	{Kind: "autoops.k8s.elastic.co/AutoOpsAgentPolicy", Path: "spec.podTemplate.spec", Source: eck},
	{Kind: "packageregistry.k8s.elastic.co/PackageRegistry", Path: "spec.podTemplate.spec", Source: eck},
	{Kind: "maps.k8s.elastic.co/ElasticMapsServer", Path: "spec.podTemplate.spec", Source: eck},
}

// podless are kinds that hold containers which are not run as they stand, so
// that they have nothing to pin, with the reason.
var podless = map[string]string{
	"apps.kruise.io/SidecarSet":                     "its containers run in the Pods of others, which have rules of their own",
	"kyverno.io/ClusterPolicy":                      "it holds patterns of objects",
	"kyverno.io/Policy":                             "it holds patterns of objects",
	"apiextensions.k8s.io/CustomResourceDefinition": "it describes objects",
}

// workflow is the form of Argo's templates, of which each is a Pod
// (workflow_types.go, Template).
func workflow(spec string) *form {
	return &form{
		containers: []string{"initContainers[*]", "container", "script", "sidecars[*]", "containerSet.containers[*]"},
		inherits:   []string{spec, spec + ".templateDefaults"},
	}
}

// taskRun is the form of a Pod whose steps are the task's: Tekton takes from
// the template what the scheduler needs, and the containers from the steps.
var taskRun = &form{
	outer:   []string{"spec.taskSpec.steps[*]", "spec.taskSpec.sidecars[*]"},
	against: []string{"spec.taskRef", "spec.taskSpec.steps[*].ref", "spec.taskSpec.stepTemplate.image"},
}

// machine is the form of a virtual machine, whose Pod has a container for each
// disk that is an image, and runs on nodes of its architecture.
var machine = &form{
	containers:   []string{"volumes[*].containerDisk", "domain.firmware.kernelBoot.container"},
	architecture: "architecture",
}

// sparkPod is the form of a driver or executor: the image of its first container
// stands outside of its template. The older field affinity replaces the
// template's where the operator's webhook runs.
func sparkPod(spec, role string) *form {
	return &form{
		containers: podForm.containers,
		first:      []string{spec + "." + role + ".image", spec + ".image"},
		against:    []string{spec + "." + role + ".affinity"},
		needed:     true,
	}
}

// flinkPod is the form of a template of Flink, which the operator merges into
// each other, lists of one replacing those of the other.
func flinkPod(unless string, against ...string) *form {
	return &form{containers: podForm.containers, first: []string{"spec.image"}, against: against, needed: unless != "", unless: unless}
}

// Table is the kinds that are known, for the test that holds it to their schemas.
var Table = holders
