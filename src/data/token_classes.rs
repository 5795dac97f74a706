//! The classes of tokenizers that transformers has: which are read, by which keys of tokenizer_config.json and with which special tokens.

use Meaning::{Foreign, Past, Read, Without};

/// The source of the settings by which a text becomes tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Class {
    /// `BertTokenizer`, or one of the classes that are the same under another name.
    #[default]
    Bert,
    /// tokenizer.json alone.
    File,
    /// Byte-level BPE: `RobertaTokenizer`.
    Roberta,
    /// Pieces of SentencePiece: `XLMRobertaTokenizer`.
    XlmRoberta,
    /// Likewise: `CamembertTokenizer`.
    Camembert,
    /// Likewise: `DebertaV2Tokenizer`.
    DebertaV2,
    /// Likewise: `AlbertTokenizer`.
    Albert,
}

/// The keys of named special tokens in transformers' order.
pub(super) const NAMED: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl Class {
    /// Those that build a tokenizer by their own rules from a vocabulary, BERT's aside.
    pub const WITH_RULES: [Self; 5] = [Self::Roberta, Self::XlmRoberta, Self::Camembert, Self::DebertaV2, Self::Albert];

    /// The class with this name, without `Fast`, among those that build a tokenizer by their own rules from a vocabulary, BERT's aside.
    pub fn with_rules(plain: &str) -> Option<Self> {
        Self::WITH_RULES.into_iter().find(|class| class.name() == plain)
    }

    /// Whether it builds a tokenizer by its own rules from a vocabulary, and is not BERT's.
    pub fn has_rules(self) -> bool {
        !matches!(self, Self::Bert | Self::File)
    }

    /// Its name in transformers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "BertTokenizer",
            Self::File => "PreTrainedTokenizerFast",
            Self::Roberta => "RobertaTokenizer",
            Self::XlmRoberta => "XLMRobertaTokenizer",
            Self::Camembert => "CamembertTokenizer",
            Self::DebertaV2 => "DebertaV2Tokenizer",
            Self::Albert => "AlbertTokenizer",
        }
    }

    /// The model whose input it builds, for messages.
    pub fn model(self) -> &'static str {
        match self {
            Self::Bert | Self::File => "BERT",
            class => class.name(),
        }
    }

    /// The file of its vocabulary, read where there is no tokenizer.json.
    pub fn vocabulary(self) -> &'static str {
        match self {
            Self::Bert | Self::File => "vocab.txt",
            Self::Roberta => "vocab.json",
            Self::XlmRoberta | Self::Camembert => "sentencepiece.bpe.model",
            Self::DebertaV2 => "spm.model",
            Self::Albert => "spiece.model",
        }
    }

    /// The named special tokens where the files say nothing.
    pub fn special(self, key: &str) -> Option<&'static str> {
        let all: [Option<&str>; 7] = match self {
            Self::File => [None; 7],
            Self::Bert => [None, None, Some("[UNK]"), Some("[SEP]"), Some("[PAD]"), Some("[CLS]"), Some("[MASK]")],
            Self::Roberta | Self::XlmRoberta | Self::Camembert => {
                ["<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"].map(Some)
            }
            Self::DebertaV2 => ["[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"].map(Some),
            Self::Albert => ["[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"].map(Some),
        };
        NAMED.iter().zip(all).find(|(name, _)| **name == key).and_then(|(_, token)| token)
    }

    /// The keys of the tokens that it puts before and after a text.
    pub fn ends(self) -> [&'static str; 2] {
        match self {
            Self::XlmRoberta | Self::Camembert => ["bos_token", "eos_token"],
            _ => ["cls_token", "sep_token"],
        }
    }

    /// Whether it tells which of two texts a token is of.
    pub fn has_token_types(self) -> bool {
        matches!(self, Self::Bert | Self::DebertaV2)
    }

    /// What a key of tokenizer_config.json means for it; none where it is not known.
    pub fn meaning(self, key: &str) -> Option<Meaning> {
        let own: &[&str] = match self {
            Self::Bert | Self::File => return meaning(key),
            Self::Roberta | Self::XlmRoberta | Self::Camembert => &["add_prefix_space"],
            Self::DebertaV2 => &["add_prefix_space", "do_lower_case", "split_by_punct", "unk_id"],
            Self::Albert => &["add_prefix_space", "do_lower_case", "keep_accents"],
        };
        // Settings of other classes: this one's arguments do not have them, and transformers 5 goes on without them.
        let past = OF_CLASSES.iter().find(|(name, _)| *name == key).map(|(_, without)| Past(without));
        match own.contains(&key) {
            true => Some(Read),
            false => past.or_else(|| match meaning(key) {
                // A file of its vocabulary, as older versions wrote: the one in the folder is read.
                Some(Foreign) if ["merges_file", "spm_file"].contains(&key) => Some(Without),
                Some(Foreign) => None,
                known => known,
            }),
        }
    }
}

/// Settings that a class has or has not, and the value that changes nothing.
const OF_CLASSES: &[(&str, &str)] = &[
    ("do_lower_case", "false"),
    ("split_by_punct", "false"),
    ("keep_accents", "false"),
    ("remove_space", "true"),
    ("sp_model_kwargs", "{}"),
    ("tokenize_chinese_chars", "true"),
    ("strip_accents", "false"),
];

/// What a key of tokenizer_config.json means for ids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It decides about ids and is read.
    Read,
    /// It never decides about ids.
    Without,
    /// Older versions of transformers heeded it, 5 does not; another value than this one is worth a word.
    Past(&'static str),
    /// It belongs to a tokenizer of another kind.
    Foreign,
}
/// Every key that transformers or its tokenizers write or know. Keys that end in `_token` name special tokens and are read.
const KEYS: &[(&str, Meaning)] = &[
    ("tokenizer_class", Read),
    ("auto_map", Read),
    ("do_lower_case", Read),
    ("tokenize_chinese_chars", Read),
    ("strip_accents", Read),
    ("added_tokens_decoder", Read),
    ("additional_special_tokens", Read),
    ("extra_special_tokens", Read),
    ("model_specific_special_tokens", Read),
    ("split_special_tokens", Read),
    ("truncation_side", Read),
    ("model_max_length", Read),
    ("max_len", Read),
    ("model_input_names", Read),
    ("fast_tokenizer_files", Read),
    ("never_split", Past("[]")),
    ("do_basic_tokenize", Past("true")),
    ("clean_text", Past("true")),
    ("wordpieces_prefix", Past("\"##\"")),
    ("add_prefix_space", Past("false")),
    ("padding", Without),
    ("padding_side", Without),
    ("padding_strategy", Without),
    ("pad_token_type_id", Without),
    ("pad_token_id", Without),
    ("pad_to_multiple_of", Without),
    ("pad_to_max_length", Without),
    ("clean_up_tokenization_spaces", Without),
    ("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", Without),
    ("spaces_between_special_tokens", Without),
    ("skip_special_tokens", Without),
    ("name_or_path", Without),
    ("special_tokens_map_file", Without),
    ("tokenizer_file", Without),
    ("tokenizer_config_file", Without),
    ("added_tokens_file", Without),
    ("vocab_file", Without),
    ("vocab_size", Without),
    ("chat_template", Without),
    ("chat_control_tokens", Without),
    ("response_template", Without),
    ("response_schema", Without),
    ("processor_class", Without),
    ("max_length", Without),
    ("stride", Without),
    ("truncation", Without),
    ("truncation_strategy", Without),
    ("return_tensors", Without),
    ("return_token_type_ids", Without),
    ("return_attention_mask", Without),
    ("use_fast", Without),
    ("from_slow", Without),
    ("trust_remote_code", Without),
    ("is_local", Without),
    ("local_files_only", Without),
    ("verbose", Without),
    ("backend", Without),
    ("errors", Without),
    ("legacy", Without),
    ("add_bos_token", Without),
    ("add_eos_token", Without),
    ("files_loaded", Without),
    ("trim_offsets", Without),
    ("unk_id", Without),
    ("vocab_type", Without),
    ("model_type", Without),
    ("transformers_version", Without),
    ("word_tokenizer_type", Foreign),
    ("subword_tokenizer_type", Foreign),
    ("do_word_tokenize", Foreign),
    ("do_subword_tokenize", Foreign),
    ("mecab_kwargs", Foreign),
    ("sudachi_kwargs", Foreign),
    ("jumanpp_kwargs", Foreign),
    ("sp_model_kwargs", Foreign),
    ("spm_file", Foreign),
    ("merges_file", Foreign),
    ("remove_space", Foreign),
    ("keep_accents", Foreign),
    ("normalization", Foreign),
    ("do_lower_and_remove_space", Foreign),
    ("word_shape_file", Foreign),
    ("word_pronunciation_file", Foreign),
];

/// What a key means for BERT's tokenizer and for tokenizer.json alone.
fn meaning(key: &str) -> Option<Meaning> {
    KEYS.iter().find(|(name, _)| *name == key).map(|(_, meaning)| *meaning)
}

/// Values that `from_pretrained` would hand on as the tokenizer itself, or as arguments without a name.
pub(super) const INTERNAL: &[&str] = &[
    "init_inputs",
    "vocab",
    "merges",
    "tokenizer_object",
    "post_processor",
    "tokenizer_padding",
    "tokenizer_truncation",
    "gguf_file",
    "_spm_precompiled_charsmap",
    "_json_truncation",
    "_json_padding",
];

/// Classes of transformers 5.23 that are `BertTokenizer` under another name or with its own defaults.
pub(super) const SAME_AS_BERT: &[&str] = &[
    "BertTokenizer",
    "ConvBertTokenizer",
    "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer",
    "DPRReaderTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "LayoutLMTokenizer",
    "LxmertTokenizer",
    "MobileBertTokenizer",
    "RetriBertTokenizer",
    "SqueezeBertTokenizer",
];

/// Those of them that do not tell which of two texts a token is of, and the model type that has the first by default.
pub(super) const WITHOUT_TOKEN_TYPES: [&str; 2] = ["DistilBertTokenizer", "DPRReaderTokenizer"];
pub(super) const MODEL_WITHOUT_TOKEN_TYPES: &str = "distilbert";

/// Model types whose tokenizer's class is not BERT's where no file names one (transformers 5.23, `TOKENIZER_MAPPING_NAMES`).
pub(super) const OF_MODEL_TYPES: &[(&str, Class)] = &[
    ("albert", Class::Albert),
    ("camembert", Class::Camembert),
    ("deberta-v2", Class::DebertaV2),
    ("roberta", Class::Roberta),
    ("xlm-roberta", Class::XlmRoberta),
];

/// Model types with which transformers 5.23 takes tokenizer.json as it is, whatever class a file names.
pub(super) const TYPES_OF_THE_FILE: &[&str] = &["modernbert", "xlm-roberta-xl"];

/// What is read instead of a class that is refused.
pub(super) const OTHERS: &str = "taper reads BertTokenizer, RobertaTokenizer, XLMRobertaTokenizer, CamembertTokenizer, DebertaV2Tokenizer and \
                                 AlbertTokenizer, or any that tokenizer.json describes with the class PreTrainedTokenizerFast";

/// Classes that take tokenizer.json as it is.
pub(super) const OF_THE_FILE: &[&str] =
    &["PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend", "PythonBackend"];

/// Classes of transformers 5.23 that build a tokenizer of their own, whatever tokenizer.json says.
pub(super) const OF_ITS_OWN: &[&str] = &[
    "BartTokenizer",
    "BarthezTokenizer",
    "BartphoTokenizer",
    "BertGenerationTokenizer",
    "BertJapaneseTokenizer",
    "BertweetTokenizer",
    "BigBirdTokenizer",
    "BioGptTokenizer",
    "BlenderbotSmallTokenizer",
    "BlenderbotTokenizer",
    "ByT5Tokenizer",
    "CLIPTokenizer",
    "CTRLTokenizer",
    "CanineTokenizer",
    "ClvpTokenizer",
    "CodeLlamaTokenizer",
    "CohereTokenizer",
    "CpmAntTokenizer",
    "CpmTokenizer",
    "DebertaTokenizer",
    "DiaTokenizer",
    "EsmTokenizer",
    "FNetTokenizer",
    "FSMTTokenizer",
    "FlaubertTokenizer",
    "FunnelTokenizer",
    "GPT2Tokenizer",
    "GPTNeoXJapaneseTokenizer",
    "GPTNeoXTokenizer",
    "GemmaTokenizer",
    "HerbertTokenizer",
    "LEDTokenizer",
    "LayoutLMv2Tokenizer",
    "LayoutLMv3Tokenizer",
    "LayoutXLMTokenizer",
    "LlamaTokenizer",
    "LukeTokenizer",
    "MBart50Tokenizer",
    "MBartTokenizer",
    "MLukeTokenizer",
    "MPNetTokenizer",
    "MarianTokenizer",
    "MarkupLMTokenizer",
    "MgpstrTokenizer",
    "MvpTokenizer",
    "MyT5Tokenizer",
    "NllbTokenizer",
    "NougatTokenizer",
    "OpenAIGPTTokenizer",
    "PLBartTokenizer",
    "PegasusTokenizer",
    "PerceiverTokenizer",
    "PhobertTokenizer",
    "ProphetNetTokenizer",
    "Qwen2Tokenizer",
    "RagTokenizer",
    "ReformerTokenizer",
    "RemBertTokenizer",
    "RoCBertTokenizer",
    "RoFormerTokenizer",
    "SeamlessM4TTokenizer",
    "Siglip2Tokenizer",
    "SiglipTokenizer",
    "SplinterTokenizer",
    "T5Tokenizer",
    "TapasTokenizer",
    "UdopTokenizer",
    "VitsTokenizer",
    "Wav2Vec2CTCTokenizer",
    "WhisperTokenizer",
    "XGLMTokenizer",
    "XLMTokenizer",
    "XLNetTokenizer",
];
